import { apiVersionOf, type KindAddress, type KubeList, type KubeObject, pathOf } from '../api/object.ts';
import { type Status, StatusError } from '../base/errors.ts';
import type { Client, ListOptions, PatchType, WatchOptions, WriteOptions } from './client.ts';
import type { ApiRequest, ApiResponse, Transport, WatchEvent } from './transport.ts';

/** How much of an answer that is no Status is quoted in an error. */
const errorBytesMax = 4096;

const patchContentType: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** A typed client over any transport: HTTP to a server, or straight into one in this process. */
export function createClient(transport: Transport): Client {
  const send = async (request: Partial<ApiRequest> & Pick<ApiRequest, 'method' | 'path'>) => {
    const response = await transport({
      query: new URLSearchParams(),
      ...request,
      headers: { accept: 'application/json', ...request.headers },
    });
    return response.code >= 400 ? raise(response) : response;
  };
  const object = async <T>(request: Parameters<typeof send>[0]): Promise<T> => {
    const response = await send(request);
    if (response.kind === 'object') return response.object as T;
    throw new StatusError('InternalError', `${request.path} answered with ${response.kind}, expected JSON`);
  };

  return {
    get: (kind, key, options) =>
      object({
        method: 'GET',
        path: pathOf(kind, { ...key, subresource: options?.subresource }),
        ...(options?.headers && { headers: options.headers }),
        ...(options?.signal && { signal: options.signal }),
      }),

    list: <T extends KubeObject>(kind: KindAddress<T>, options: ListOptions = {}) =>
      object<KubeList<T>>({
        method: 'GET',
        path: pathOf(kind, { namespace: options.namespace }),
        query: queryOf(options, ['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersion']),
        ...(options.signal && { signal: options.signal }),
      }),

    async discover({ group, version }) {
      const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
      const { resources = [] } = await object<{ resources?: ListedResource[] }>({ method: 'GET', path });
      return resources
        .filter(({ name }) => !name.includes('/'))
        .map(({ name, kind, namespaced, verbs }) => ({
          ...{ group, version, kind, namespaced, verbs },
          plural: name,
        }));
    },

    create: (kind, value, options) =>
      object({
        method: 'POST',
        path: pathOf(kind, {
          namespace: value.metadata?.namespace,
          ...(options?.subresource && { name: value.metadata?.name, subresource: options.subresource }),
        }),
        query: writeQuery(options),
        headers: { 'content-type': 'application/json' },
        body: bodyOf(kind, value, options),
      }),

    update: (kind, value, options) =>
      object({
        method: 'PUT',
        path: pathOf(kind, { ...keyIn(value), subresource: options?.subresource }),
        query: writeQuery(options),
        headers: { 'content-type': 'application/json' },
        body: bodyOf(kind, value, options),
      }),

    patch: (kind, key, patch, options) =>
      object({
        method: 'PATCH',
        path: pathOf(kind, { ...key, subresource: options?.subresource }),
        query: writeQuery(options),
        headers: { 'content-type': patchContentType[patch.type] },
        body: plain(patch.body),
      }),

    delete: async (kind, key, options) => {
      await send({
        method: 'DELETE',
        path: pathOf(kind, key),
        headers: { 'content-type': 'application/json' },
        body: plain({ apiVersion: 'v1', kind: 'DeleteOptions', ...options }),
      });
    },

    watch: <T extends KubeObject>(kind: KindAddress<T>, options: WatchOptions = {}) =>
      watch<T>(send, kind, options),
  };
}

/** A line of an APIResourceList. */
interface ListedResource {
  name: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
}

async function* watch<T extends KubeObject>(
  send: (request: Pick<ApiRequest, 'method' | 'path'> & Partial<ApiRequest>) => Promise<ApiResponse>,
  kind: KindAddress<T>,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const query = queryOf(options, [
    'labelSelector',
    'fieldSelector',
    'resourceVersion',
    'allowWatchBookmarks',
    'timeoutSeconds',
  ]);
  query.set('watch', 'true');
  const response = await send({
    method: 'GET',
    path: pathOf(kind, { namespace: options.namespace }),
    query,
    ...(options.signal && { signal: options.signal }),
  });
  if (response.kind !== 'watch') {
    throw new StatusError('InternalError', `a watch of ${kind.plural} answered with ${response.kind}`);
  }
  for await (const event of response.events) {
    if (event.type === 'ERROR') throw StatusError.fromStatus(event.object as Partial<Status>);
    // The server sends objects of the kind that was asked for.
    yield event as WatchEvent<T>;
  }
}

/** Whoever receives a body owns it, so it must share nothing with caches; undefined fields vanish too. */
function plain(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body));
}

function bodyOf(kind: KindAddress, value: KubeObject, options?: WriteOptions): unknown {
  // A subresource may take another kind (Binding, Scale), which must name itself.
  const isOther = options?.subresource !== undefined && value.kind !== undefined;
  return plain(isOther ? value : { ...value, apiVersion: apiVersionOf(kind), kind: kind.kind });
}

function keyIn(value: KubeObject): { namespace: string | undefined; name: string } {
  const { name, namespace } = value.metadata ?? {};
  if (!name) throw new StatusError('BadRequest', 'cannot update an object without metadata.name');
  return { name, namespace };
}

function writeQuery(options: WriteOptions = {}): URLSearchParams {
  const query = queryOf(options, ['fieldManager', 'force']);
  if (options.dryRun) query.set('dryRun', 'All');
  return query;
}

function queryOf<O extends object>(options: O, names: (keyof O & string)[]): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of names) {
    const value = options[name];
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  return query;
}

async function raise(response: ApiResponse): Promise<never> {
  if (response.kind === 'object') {
    throw StatusError.fromStatus({ code: response.code, ...(response.object as object) });
  }
  const quoted: Buffer[] = [];
  if (response.kind === 'bytes') {
    let bytes = 0;
    for await (const chunk of response.bytes) {
      quoted.push(Buffer.from(chunk));
      bytes += chunk.length;
      if (bytes >= errorBytesMax) break;
    }
  }
  const text = Buffer.concat(quoted).subarray(0, errorBytesMax).toString('utf8').trim();
  throw StatusError.fromStatus({
    code: response.code,
    message: `server answered ${response.code}${text ? `: ${text}` : ''}`,
    ...(response.code === 503 && { reason: 'ServiceUnavailable' }),
    ...(response.code === 404 && { reason: 'NotFound' }),
  });
}
