import { storedVersion } from '../../api/custom/definition/versions.ts';
import type { CustomResourceDefinition } from '../../api/kinds/customResourceDefinition.ts';
import type { KubeObject } from '../../api/object.ts';
import { isStatus } from '../../base/errors.ts';
import type { Call, Context, Resource } from '../context.ts';
import { prefixOf } from '../stored.ts';
import { inProcessAdmin } from '../user.ts';
import { deleteObject } from '../verbs/delete.ts';

/** Deletes all objects of a kind; resolves when the last one is gone, finalizers and all. */
export async function deleteInstances(
  context: Context,
  resources: readonly Resource[],
  definition: CustomResourceDefinition,
): Promise<void> {
  const storage = storedVersion(definition);
  const resource = resources.find(({ kind }) => kind.version === storage) ?? resources[0];
  if (!resource) return;
  const prefix = prefixOf(resource.kind);
  const { items, revision } = context.store.list(prefix);
  for (const { value } of items) {
    const { metadata = {} } = value as KubeObject;
    const own = { ...context, store: resource.store ?? context.store };
    try {
      await deleteObject(own, callFor(resource, metadata.namespace), metadata.name!, { dryRun: false });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }
  const isEmpty = () => context.store.list(prefix, { limit: 1 }).items.length === 0;
  if (isEmpty()) return;
  for await (const { type } of context.store.watch(prefix, { fromRevision: revision })) {
    if (type === 'delete' && isEmpty()) return;
  }
}

function callFor(resource: Resource, namespace: string | undefined): Call {
  const { group, version, plural } = resource.kind;
  return {
    request: { method: 'DELETE', path: '', query: new URLSearchParams(), headers: {} },
    info: {
      verb: 'delete',
      group,
      version,
      namespace,
      resource: plural,
      name: undefined,
      subresource: undefined,
    },
    user: inProcessAdmin,
    resource,
    warnings: [],
    auditAnnotations: {},
  };
}
