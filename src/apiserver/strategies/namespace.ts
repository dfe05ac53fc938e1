import { namespace as kind, type Namespace } from '../../api/kinds/namespace.ts';
import { forbidden } from '../failures.ts';
import type { Strategy } from './strategy.ts';

/** Namespaces that the cluster itself lives in. */
export const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const undeletable = new Set(['default', 'kube-system', 'kube-public']);

/** A namespace stays, Terminating, until its controller has emptied it and finalized it. */
export const namespaceStrategy: Strategy<Namespace> = {
  presume: labelWithName,
  prepareCreate(namespace) {
    namespace.spec = { finalizers: ['kubernetes'] };
    namespace.status = { phase: 'Active' };
    labelWithName(namespace);
  },
  prepareUpdate(next, previous) {
    if (previous.spec) next.spec = structuredClone(previous.spec);
    labelWithName(next);
  },
  refuseDelete(namespace) {
    const name = namespace.metadata!.name!;
    return undeletable.has(name) ? forbidden(kind, name, 'this namespace may not be deleted') : undefined;
  },
  isHeld: (namespace) => (namespace.spec?.finalizers?.length ?? 0) > 0,
  beginDelete(namespace) {
    namespace.status = { ...namespace.status, phase: 'Terminating' };
    // A namespace knows no time of grace.
    delete namespace.metadata?.deletionGracePeriodSeconds;
  },
};

function labelWithName({ metadata }: Namespace): void {
  if (metadata?.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
}
