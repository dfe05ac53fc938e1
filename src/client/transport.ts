import type { KubeObject } from '../api/object.ts';

export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T;
}

/** One request to a Kubernetes API server, independent of how it travels. */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Decoded path with leading slash, without query. */
  path: string;
  query: URLSearchParams;
  /** Lower-case names. `content-type` tells the patch type; `accept` may ask for a Table. */
  headers: Record<string, string>;
  /** The decoded JSON body. Whoever receives it owns it. */
  body?: unknown;
  signal?: AbortSignal;
}

export type ApiResponse =
  /** A JSON answer. Shared with caches: the receiver must not change it. */
  | { code: number; headers: Record<string, string>; kind: 'object'; object: unknown }
  /** A watch: events until the server ends it or `signal` aborts. */
  | { code: number; headers: Record<string, string>; kind: 'watch'; events: AsyncIterable<WatchEvent> }
  /** Anything else (logs, metrics, an OpenAPI file). */
  | { code: number; headers: Record<string, string>; kind: 'bytes'; bytes: AsyncIterable<Uint8Array> };

/**
 * Carries a request to an API server. Failures that the server answered come back as a response with a
 * `Status` object and code >= 400; a transport throws only when no answer came (a `StatusError` with
 * reason `ServiceUnavailable`) or when the signal aborts.
 */
export type Transport = (request: ApiRequest) => Promise<ApiResponse>;
