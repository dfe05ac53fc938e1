import { isEqualSemantically } from '../../api/equal.ts';
import type { Deployment, DeploymentStatus } from '../../api/kinds/deployment.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { ReplicaSet } from '../../api/kinds/replicaSet.ts';
import { hasPodEnded } from '../../api/pod-ended.ts';
import { isScaling, scaleStep } from './proportional.ts';
import {
  desiredReplicas,
  isRolling,
  newReplicaSet,
  type Revisions,
  refreshed,
  replicasOf,
  resized,
  revisionAnnotation,
  revisionOf,
  sortRevisions,
} from './replica-sets.ts';
import { recreateStep, rollingStep, type Sizes } from './rollout.ts';
import { deadlineInMs, isComplete, statusOf } from './status.ts';

export interface DeploymentState {
  deployment: Deployment;
  /** Those that it controls. */
  replicaSets: readonly ReplicaSet[];
  /** Their pods, those being deleted included. */
  pods: readonly Pod[];
  nowMs: number;
}

export type DeploymentAction =
  | { type: 'create'; replicaSet: ReplicaSet }
  | { type: 'update'; from: ReplicaSet; to: ReplicaSet }
  | { type: 'delete'; replicaSet: ReplicaSet }
  /** The Deployment's own annotation, from which `kubectl rollout` reads where it stands. */
  | { type: 'setRevision'; revision: string };

export interface DeploymentPlan {
  actions: DeploymentAction[];
  status: DeploymentStatus;
  lookAgainInMs: number | undefined;
}

/** One step from what is to what the Deployment asks for; the changes that it causes lead to the next step. */
export function plan(state: DeploymentState): DeploymentPlan {
  const { deployment, replicaSets, nowMs } = state;
  const revisions = sortRevisions(deployment, replicaSets);
  const isDeleted = Boolean(deployment.metadata?.deletionTimestamp);
  // A Recreate rollout has no sizes in between that a new total could be shared out over.
  const isResize = isScaling(deployment, revisions) && (isRolling(deployment) || !revisions.current);
  const isRollout = !isDeleted && !deployment.spec?.paused && !isResize;
  const actions = isDeleted ? [] : isRollout ? rollOut(state, revisions) : scale(deployment, revisions);
  const created = actions.find(({ type }) => type === 'create');
  const status = statusOf(deployment, revisions, nowMs, {
    isRollout,
    created: created?.type === 'create' ? created.replicaSet.metadata?.name : undefined,
  });
  return { actions, status, lookAgainInMs: isDeleted ? undefined : deadlineInMs(deployment, status, nowMs) };
}

function rollOut({ deployment, pods }: DeploymentState, revisions: Revisions): DeploymentAction[] {
  const { current, old } = revisions;
  if (!current) {
    const step = isRolling(deployment) ? 'create' : recreateStep(deployment, revisions, hasPods(old, pods));
    if (step !== 'create') return updates(deployment, revisions, step);
    const replicaSet = newReplicaSet(deployment, revisions);
    return [{ type: 'create', replicaSet }, ...setRevision(deployment, replicaSet)];
  }
  const step = isRolling(deployment)
    ? rollingStep(deployment, revisions)
    : recreateStep(deployment, revisions, hasPods(old, pods));
  const sizes: Sizes = step === 'create' ? new Map() : step;
  const cleanUp =
    sizes.size === 0 && isComplete(deployment, deployment.status)
      ? surplusHistory(deployment, revisions)
      : [];
  return [...updates(deployment, revisions, sizes), ...cleanUp];
}

function scale(deployment: Deployment, revisions: Revisions): DeploymentAction[] {
  const actions = updates(deployment, revisions, scaleStep(deployment, revisions));
  return deployment.spec?.paused ? [...actions, ...surplusHistory(deployment, revisions)] : actions;
}

/** Updates for new sizes; the current ReplicaSet is also given the newest revision and annotations. */
function updates(deployment: Deployment, { current, old }: Revisions, sizes: Sizes): DeploymentAction[] {
  const actions: DeploymentAction[] = [];
  for (const [replicaSet, replicas] of sizes) {
    if (replicaSet === current) continue;
    const to = resized(replicaSet, replicas, deployment);
    if (!isEqualSemantically(to, replicaSet)) actions.push({ type: 'update', from: replicaSet, to });
  }
  if (!current) return actions;
  const size = sizes.get(current);
  const fresh = refreshed(current, deployment, old);
  const isSized = size !== undefined || replicasOf(fresh) === desiredReplicas(deployment);
  const to = isSized ? resized(fresh, size ?? replicasOf(fresh), deployment) : fresh;
  if (!isEqualSemantically(to, current)) actions.push({ type: 'update', from: current, to });
  return [...actions, ...setRevision(deployment, to)];
}

function setRevision(deployment: Deployment, current: ReplicaSet): DeploymentAction[] {
  const revision = String(revisionOf(current));
  const isSet = deployment.metadata?.annotations?.[revisionAnnotation] === revision;
  return isSet ? [] : [{ type: 'setRevision', revision }];
}

/** Old ReplicaSets beyond `spec.revisionHistoryLimit`, oldest revision first, once nothing of them is left. */
function surplusHistory(deployment: Deployment, { old }: Revisions): DeploymentAction[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  const alive = old.filter(({ metadata }) => !metadata?.deletionTimestamp);
  const surplus = [...alive]
    .sort((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, Math.max(0, alive.length - limit));
  return surplus
    .filter(
      (each) =>
        replicasOf(each) === 0 &&
        (each.status?.replicas ?? 0) === 0 &&
        (each.status?.observedGeneration ?? 0) >= (each.metadata?.generation ?? 0),
    )
    .map((replicaSet) => ({ type: 'delete', replicaSet }));
}

function hasPods(replicaSets: readonly ReplicaSet[], pods: readonly Pod[]): boolean {
  const uids = new Set(replicaSets.map(({ metadata }) => metadata?.uid));
  return pods.some(
    (pod) => !hasPodEnded(pod) && pod.metadata?.ownerReferences?.some(({ uid }) => uids.has(uid)),
  );
}
