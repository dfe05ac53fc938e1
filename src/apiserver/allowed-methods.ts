import type { ApiRequest } from '../client/transport.ts';
import type { Resource } from './context.ts';
import { extraSubresourcesOf } from './discovery.ts';
import { readResourceInfo } from './request-info.ts';

export const everyMethod = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const methodOf: Record<string, string> = {
  get: 'GET',
  list: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};
const ofCollections = ['list', 'create', 'deletecollection'];
const ofObjects = ['get', 'update', 'patch', 'delete'];

/** The `Allow` header of an answer that refuses the method: RFC 9110, 15.5.6. */
export function allowedMethods(resources: ReadonlyMap<string, Resource>, request: ApiRequest): string {
  const info = readResourceInfo(request);
  if (!info) return 'GET, HEAD';
  const kind = resources.get(`${info.group}/${info.version}/${info.resource}`)?.kind;
  if (!kind) return everyMethod;
  const { name, subresource } = info;
  const verbs =
    subresource === undefined
      ? kind.verbs.filter((verb) => (name === undefined ? ofCollections : ofObjects).includes(verb))
      : subresource === 'status' || subresource === 'scale'
        ? ['get', 'update', 'patch']
        : (extraSubresourcesOf(kind).get(subresource) ?? []);
  return verbs.map((verb) => methodOf[verb] ?? verb.toUpperCase()).join(', ');
}
