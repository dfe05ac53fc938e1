import type { Pod } from '../api/kinds/pod.ts';
import type { ReplicaSet } from '../api/kinds/replicaSet.ts';
import type { ReplicationController } from '../api/kinds/replicationController.ts';
import type { Service } from '../api/kinds/service.ts';
import type { StatefulSet } from '../api/kinds/statefulSet.ts';
import { type Requirement, requirementsOf } from '../api/label-selector.ts';
import { hasLabels } from './labels.ts';

/** Where the selectors of services and owners are looked up; owners by `namespace/name`. */
export interface Selectors {
  services(namespace: string): readonly Service[];
  replicaSet(key: string): ReplicaSet | undefined;
  statefulSet(key: string): StatefulSet | undefined;
  replicationController(key: string): ReplicationController | undefined;
}

/** Which pods do the same as this one: those that its services and its owner select. Empty when nobody does. */
export function likeness(pod: Pod, selectors: Selectors): Requirement[] {
  const { namespace = '', labels, ownerReferences = [] } = pod.metadata ?? {};
  const merged: Record<string, string> = {};
  for (const { spec } of selectors.services(namespace)) {
    const { selector } = spec ?? {};
    if (selector && Object.keys(selector).length > 0 && hasLabels(selector, labels))
      Object.assign(merged, selector);
  }
  const owner = ownerReferences.find(({ controller }) => controller);
  const key = `${namespace}/${owner?.name}`;
  if (owner?.kind === 'ReplicationController')
    Object.assign(merged, selectors.replicationController(key)?.spec?.selector);
  const selector =
    owner?.kind === 'ReplicaSet'
      ? selectors.replicaSet(key)?.spec?.selector
      : owner?.kind === 'StatefulSet'
        ? selectors.statefulSet(key)?.spec?.selector
        : undefined;
  return [...requirementsOf({ matchLabels: merged }), ...(selector ? requirementsOf(selector) : [])];
}
