import { StatusError } from '../base/errors.ts';
import type { ApiRequest } from '../client/transport.ts';

export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  /** OPTIONS, which only what is passed on to other servers takes. */
  | '';

/** What a resource request is about, as Kubernetes' authorization attributes name it. */
export interface ResourceInfo {
  verb: Verb;
  group: string;
  version: string;
  namespace: string | undefined;
  /** The plural. */
  resource: string;
  name: string | undefined;
  subresource: string | undefined;
}

const namespaceSubresources = new Set(['status', 'finalize']);

/**
 * Reads `/api/v1/…` and `/apis/GROUP/VERSION/…` paths; undefined for anything that is no resource path.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
 */
export function readResourceInfo(request: ApiRequest): ResourceInfo | undefined {
  const parts = request.path.split('/').filter((part) => part !== '');
  const head = parts[0] === 'api' ? parts.splice(0, 2) : parts[0] === 'apis' ? parts.splice(0, 3) : [];
  if (head.length < 2 || (head[0] === 'apis' && head.length < 3) || parts.length === 0) return undefined;
  // The oldest form of a watch.
  const isWatch = parts[0] === 'watch' && parts.length > 1 && request.method === 'GET';
  if (isWatch) parts.shift();
  const version = head.at(-1)!;
  const group = head[0] === 'api' ? '' : head[1]!;

  let namespace: string | undefined;
  if (parts[0] === 'namespaces' && parts.length > 2 && !namespaceSubresources.has(parts[2]!)) {
    namespace = parts[1];
    parts.splice(0, 2);
  }
  const [resource, name, ...rest] = parts;
  if (resource === undefined) return undefined;
  // What follows `proxy` is the path of another server.
  const subresource = rest[0] === 'proxy' ? 'proxy' : rest.length > 0 ? rest.join('/') : undefined;
  if (resource === 'namespaces' && name !== undefined) namespace = name;
  const verb = isWatch ? 'watch' : verbOf(request, name, subresource);
  return { verb, group, version, namespace, resource, name, subresource };
}

function verbOf(request: ApiRequest, name: string | undefined, subresource: string | undefined): Verb {
  // A client may send HEAD, though our own transport does not; what is asked for is what GET asks for.
  switch (request.method as ApiRequest['method'] | 'HEAD') {
    case 'HEAD':
    case 'GET':
      if (subresource === 'proxy') return 'get';
      if (isTrue(request.query.get('watch'))) return 'watch';
      return name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
      if ((request.method as string) === 'OPTIONS' && subresource === 'proxy') return '';
      throw new StatusError('MethodNotAllowed', `the method ${request.method} is not supported`);
  }
}

/** Whether a query parameter is switched on: present and neither `false` nor `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0';
}
