import type { Deployment } from '../../api/kinds/deployment.ts';
import type { ReplicaSet } from '../../api/kinds/replicaSet.ts';
import {
  availableOf,
  createdMs,
  desiredReplicas,
  desiredReplicasAnnotation,
  fenceposts,
  isActive,
  isRolling,
  maxReplicasAnnotation,
  type Revisions,
  replicasOf,
  sum,
} from './replica-sets.ts';
import type { Sizes } from './rollout.ts';

/** Whether the Deployment's size was changed since its ReplicaSets got theirs. */
export function isScaling(deployment: Deployment, { current, old }: Revisions): boolean {
  return [...old, ...(current ? [current] : [])].filter(isActive).some((replicaSet) => {
    const noted = replicaSet.metadata?.annotations?.[desiredReplicasAnnotation];
    return noted !== undefined && Number(noted) !== desiredReplicas(deployment);
  });
}

/** Sizes for a changed `spec.replicas`: in the middle of a rollout all ReplicaSets grow or shrink by their share. */
export function scaleStep(deployment: Deployment, revisions: Revisions): Sizes {
  const { current, old } = revisions;
  const desired = desiredReplicas(deployment);
  const active = [...old, ...(current ? [current] : [])].filter(isActive);
  const only = active.length === 1 ? active[0] : active.length === 0 ? (current ?? old.at(-1)) : undefined;
  if (active.length <= 1) return only ? new Map([[only, desired]]) : new Map();
  if (current && isSaturated(deployment, current)) {
    return new Map(old.filter(isActive).map((replicaSet) => [replicaSet, 0]));
  }
  return isRolling(deployment) ? shareOut(deployment, active) : new Map();
}

function isSaturated(deployment: Deployment, current: ReplicaSet): boolean {
  const desired = desiredReplicas(deployment);
  const noted = Number(current.metadata?.annotations?.[desiredReplicasAnnotation] ?? Number.NaN);
  return replicasOf(current) === desired && noted === desired && availableOf(current) === desired;
}

function shareOut(deployment: Deployment, active: readonly ReplicaSet[]): Sizes {
  const desired = desiredReplicas(deployment);
  const most = desired > 0 ? desired + fenceposts(deployment).maxSurge : 0;
  const toAdd = most - sum(active, replicasOf);
  const newerFirst = toAdd > 0 ? -1 : 1;
  const ranked = [...active].sort(
    (a, b) => replicasOf(b) - replicasOf(a) || newerFirst * (createdMs(a) - createdMs(b)),
  );
  const sizes: Sizes = new Map();
  let added = 0;
  for (const replicaSet of ranked) {
    const share = shareOf(replicaSet, deployment, toAdd, added);
    sizes.set(replicaSet, replicasOf(replicaSet) + share);
    added += share;
  }
  // What rounding left over goes to the largest.
  const largest = ranked[0]!;
  sizes.set(largest, Math.max(0, sizes.get(largest)! + toAdd - added));
  return sizes;
}

function shareOf(replicaSet: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  if (toAdd === 0 || toAdd === added) return 0;
  const desired = desiredReplicas(deployment);
  const size = replicasOf(replicaSet);
  if (desired === 0) return -size;
  const noted = Number(replicaSet.metadata?.annotations?.[maxReplicasAnnotation] ?? 0);
  const mostBefore = noted || deployment.status?.replicas || 0;
  if (mostBefore === 0) return 0;
  const mostNow = desired + fenceposts(deployment).maxSurge;
  const share = Math.round((size * mostNow) / mostBefore) - size;
  const allowed = toAdd - added;
  return toAdd > 0 ? Math.min(share, allowed) : Math.max(share, allowed);
}
