import type { Deployment } from '../../api/kinds/deployment.ts';
import type { ReplicaSet } from '../../api/kinds/replicaSet.ts';
import {
  allowedCurrentReplicas,
  availableOf,
  desiredReplicas,
  fenceposts,
  type Revisions,
  replicasOf,
  sum,
} from './replica-sets.ts';

/** New sizes by ReplicaSet; what is absent keeps its size. */
export type Sizes = Map<ReplicaSet, number>;

/** The next step of a rolling update: room for new pods first, then as many old ones go as availability permits. */
export function rollingStep(deployment: Deployment, revisions: Revisions): Sizes {
  const { current } = revisions;
  if (current) {
    const desired = desiredReplicas(deployment);
    const next = replicasOf(current) > desired ? desired : allowedCurrentReplicas(deployment, revisions);
    if (next !== replicasOf(current)) return new Map([[current, next]]);
  }
  return shrinkOld(deployment, revisions);
}

function shrinkOld(deployment: Deployment, { current, old }: Revisions): Sizes {
  const sizes: Sizes = new Map();
  const all = current ? [...old, current] : old;
  const leastAvailable = desiredReplicas(deployment) - fenceposts(deployment).maxUnavailable;
  const currentUnavailable = current ? replicasOf(current) - availableOf(current) : 0;
  const spare = sum(all, replicasOf) - leastAvailable - currentUnavailable;
  if (spare <= 0) return sizes;

  // Old pods that serve nobody go first; otherwise a broken rollout could never be replaced.
  let unhealthyLeft = spare;
  for (const replicaSet of old) {
    const unhealthy = Math.max(0, replicasOf(replicaSet) - availableOf(replicaSet));
    const count = Math.min(unhealthy, unhealthyLeft);
    if (count > 0) sizes.set(replicaSet, replicasOf(replicaSet) - count);
    unhealthyLeft -= count;
  }

  let healthyLeft = sum(all, availableOf) - leastAvailable;
  for (const replicaSet of old) {
    const size = sizes.get(replicaSet) ?? replicasOf(replicaSet);
    const count = Math.min(size, Math.max(0, healthyLeft));
    if (count > 0) sizes.set(replicaSet, size - count);
    healthyLeft -= count;
  }
  return sizes;
}

/** Everything old goes before anything new starts. */
export function recreateStep(
  deployment: Deployment,
  { current, old }: Revisions,
  hasOldPods: boolean,
): Sizes | 'create' {
  const shrinking = old.filter((replicaSet) => replicasOf(replicaSet) > 0);
  if (shrinking.length > 0) return new Map(shrinking.map((replicaSet) => [replicaSet, 0]));
  if (hasOldPods) return new Map();
  if (!current) return 'create';
  const desired = desiredReplicas(deployment);
  return replicasOf(current) === desired ? new Map() : new Map([[current, desired]]);
}
