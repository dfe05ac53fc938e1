import type { IncomingMessage } from 'node:http';
import { badRequest } from '../failures.ts';

/** What a request is for. */
export interface Target {
  /** Decoded, without doubled slashes. */
  path: string;
  query: URLSearchParams;
}

/** Reads the request target; throws BadRequest for what is no path. */
export function readTarget({ url = '/' }: Pick<IncomingMessage, 'url'>): Target {
  if (!url.startsWith('/')) throw badRequest(`the request target ${JSON.stringify(url)} must be a path`);
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  return { path: decodePath(path), query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)) };
}

function decodePath(encoded: string): string {
  const path = encoded.includes('//') ? encoded.replace(/\/{2,}/g, '/') : encoded;
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw badRequest(`the path ${path} is not valid percent-encoded UTF-8`, error);
  }
}
