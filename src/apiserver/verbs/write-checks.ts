import type { KubeObject } from '../../api/object.ts';
import { isStatus } from '../../base/errors.ts';
import type { Context, Resource } from '../context.ts';
import { alreadyExists, conflict, forbidden, notFound } from '../failures.ts';
import { keyOf } from '../stored.ts';

const namespaces = { group: '', plural: 'namespaces', kind: 'Namespace', namespaced: false };

/** Refuses to make an object in a namespace that does not exist or is going away. */
export function checkNamespace(context: Context, resource: Resource, object: KubeObject): void {
  if (!resource.kind.namespaced) return;
  const name = object.metadata!.namespace!;
  const namespace = context.store.get(keyOf(namespaces, undefined, name))?.value as KubeObject | undefined;
  if (!namespace) throw notFound(namespaces, name);
  if (!namespace.metadata?.deletionTimestamp) return;
  throw forbidden(
    resource.kind,
    object.metadata?.name ?? '',
    `unable to create new content in namespace ${name} because it is being terminated`,
    [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${name} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  );
}

/** The store knows keys, clients know resources: says a store failure in the client's words. */
export function inClientsWords(error: unknown, resource: Resource, name: string): unknown {
  // One with details is in the client's words already.
  if (!isStatus(error) || error.details) return error;
  if (isStatus(error, 'AlreadyExists')) return alreadyExists(resource.kind, name);
  if (isStatus(error, 'NotFound')) return notFound(resource.kind, name);
  if (isStatus(error, 'Conflict')) return conflict(resource.kind, name);
  return error;
}
