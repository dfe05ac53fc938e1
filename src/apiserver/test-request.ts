import type { KubeList, KubeObject } from '../api/object.ts';
import type { ApiRequest, ApiResponse, Transport, WatchEvent } from '../client/transport.ts';

/** What tests look at in an answer; wide on purpose. */
export type Answer = KubeObject &
  Partial<KubeList> & {
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every kind.
    [field: string]: any;
  };

export interface TestRequest {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Sends `METHOD /path?query` and returns code and object. */
export async function send(
  transport: Transport,
  line: string,
  options: TestRequest = {},
): Promise<{ code: number; object: Answer; headers: Record<string, string> }> {
  const response = await request(transport, line, options);
  if (response.kind !== 'object') throw new Error(`${line} answered ${response.kind}`);
  return { code: response.code, object: response.object as Answer, headers: response.headers };
}

/** Opens a watch; the iterator is the caller's to end, by signal or by `return`. */
export async function openWatch(
  transport: Transport,
  line: string,
  options: TestRequest = {},
): Promise<AsyncIterator<WatchEvent>> {
  const response = await request(transport, line, options);
  if (response.kind !== 'watch') throw new Error(`${line} answered ${JSON.stringify(response)}`);
  return response.events[Symbol.asyncIterator]();
}

/** The next `count` events as `TYPE name`. */
export async function take(events: AsyncIterator<WatchEvent>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(`${value.type} ${value.object.metadata?.name ?? ''}`.trim());
  }
  return taken;
}

async function request(transport: Transport, line: string, options: TestRequest): Promise<ApiResponse> {
  const [method, target] = line.split(' ') as [ApiRequest['method'], string];
  const url = new URL(target, 'https://server');
  const headers = { 'content-type': 'application/json', ...options.headers };
  const { body, signal } = options;
  return transport({
    method,
    path: url.pathname,
    query: url.searchParams,
    headers,
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
  });
}

const mergeType = { 'content-type': 'application/merge-patch+json' };

/** A merge patch. */
export function mergePatch(transport: Transport, path: string, body: object) {
  return send(transport, `PATCH ${path}`, { body, headers: mergeType });
}

export const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
});

export const pod = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'main', image: 'app:1' }], ...spec },
});

export const deployment = (name: string, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'app:1' }] },
    },
    ...spec,
  },
});
