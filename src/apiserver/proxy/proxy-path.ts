import { posix } from 'node:path';

/** How the path of a `proxy` subresource divides. */
export interface ProxyPath {
  /** What is asked of the other server, decoded, as admission sees it; without its first slash. */
  asked: string;
  /** The same, encoded, with a leading slash. */
  path: string;
  /** What stands before it, encoded as it came. */
  prefix: string;
  /** Whether there is neither path nor final slash: relative links would lead astray. */
  isBare: boolean;
}

/** Divides `/api/v1/…/NAME/proxy/PATH`, whose decoded form has no doubled slashes. */
export function divideProxyPath(whole: string): ProxyPath {
  const parts = whole.split('/').slice(1);
  // api, v1, then namespaces and their name where there is one, then the plural and the name.
  const at = parts[2] === 'namespaces' ? 6 : 4;
  const asked = parts.slice(at + 1).filter((part) => part !== '');
  const isFolder = whole.endsWith('/');
  const joined = posix.join('/', ...asked);
  const path = encodePath(isFolder && joined !== '/' ? `${joined}/` : joined);
  const prefix = encodePath(`/${parts.slice(0, at + 1).join('/')}`);
  return { asked: asked.join('/'), path, prefix, isBare: asked.length === 0 && !isFolder };
}

/** Encodes what may not stand in a path, and no more, as Go does. */
export function encodePath(path: string): string {
  return path
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/%(24|26|2B|2C|3A|3B|3D|40)/g, decodeURIComponent))
    .join('/');
}
