import type { Deployment, DeploymentCondition, DeploymentStatus } from '../../api/kinds/deployment.ts';
import { toTime } from '../../base/clock.ts';
import { availableOf, desiredReplicas, fenceposts, type Revisions, replicasOf, sum } from './replica-sets.ts';

const completeReason = 'NewReplicaSetAvailable';
const timedOutReason = 'ProgressDeadlineExceeded';
const pausedReason = 'DeploymentPaused';

/** As an int32's largest value it stands for no deadline at all. */
const noDeadlineSeconds = 2 ** 31 - 1;

/**
 * The Deployment's status as its ReplicaSets' say. `isRollout` is false while only its size or its pause changes; `created`
 * is the name of the ReplicaSet that this step makes.
 */
export function statusOf(
  deployment: Deployment,
  revisions: Revisions,
  nowMs: number,
  options: { isRollout: boolean; created?: string | undefined },
): DeploymentStatus {
  const { current, old } = revisions;
  const all = current ? [...old, current] : old;
  const replicas = sum(all, ({ status }) => status?.replicas ?? 0);
  const available = sum(all, availableOf);
  const counts: DeploymentStatus = {
    observedGeneration: deployment.metadata?.generation ?? 0,
    replicas,
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(all, ({ status }) => status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - available),
    ...(deployment.status?.collisionCount && { collisionCount: deployment.status.collisionCount }),
  };
  const shown = Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
  let conditions = [...(deployment.status?.conditions ?? [])];
  conditions = put(conditions, availability(deployment, available), nowMs);
  if (options.isRollout) conditions = withFailure(conditions, revisions, nowMs);
  conditions = withProgress(conditions, deployment, revisions, counts, nowMs, options);
  return { ...shown, conditions };
}

/** When the deadline should be looked at again, in ms from now; undefined when nothing is awaited. */
export function deadlineInMs(
  deployment: Deployment,
  status: DeploymentStatus,
  nowMs: number,
): number | undefined {
  const progress = find(status.conditions, 'Progressing');
  const { progressDeadlineSeconds, paused } = deployment.spec ?? {};
  if (!progress || !hasDeadline(progressDeadlineSeconds) || paused) return undefined;
  if (progress.reason === completeReason || progress.reason === timedOutReason) return undefined;
  const updatedMs = Date.parse(progress.lastUpdateTime ?? '') || nowMs;
  return Math.max(0, updatedMs + progressDeadlineSeconds * 1000 - nowMs) + 1000;
}

export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const desired = desiredReplicas(deployment);
  return (
    status?.updatedReplicas === desired &&
    status.replicas === desired &&
    status.availableReplicas === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0)
  );
}

type News = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>;

function availability(deployment: Deployment, available: number): News {
  const isEnough = available >= desiredReplicas(deployment) - fenceposts(deployment).maxUnavailable;
  return isEnough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

/** A ReplicaSet that cannot make its pods (a quota, an invalid template) is told on the Deployment. */
function withFailure(conditions: DeploymentCondition[], { current, old }: Revisions, nowMs: number) {
  const failing = [current, ...old].find((each) => find(each?.status?.conditions, 'ReplicaFailure'));
  const failure = find(failing?.status?.conditions, 'ReplicaFailure');
  if (!failure) return conditions.filter(({ type }) => type !== 'ReplicaFailure');
  const { type, status, reason, message } = failure;
  return put(conditions, { type, status, ...(reason && { reason }), ...(message && { message }) }, nowMs);
}

const hasDeadline = (seconds: number | undefined): seconds is number =>
  seconds !== undefined && seconds !== noDeadlineSeconds;

/** The Deployment's conditions after the creation of a ReplicaSet failed. */
export function withFailedCreation(deployment: Deployment, message: string, nowMs: number) {
  const conditions = deployment.status?.conditions ?? [];
  if (!hasDeadline(deployment.spec?.progressDeadlineSeconds)) return conditions;
  const news: News = { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message };
  return put(conditions, news, nowMs);
}

function withProgress(
  before: DeploymentCondition[],
  deployment: Deployment,
  { current }: Revisions,
  counts: DeploymentStatus,
  nowMs: number,
  { isRollout, created }: { isRollout: boolean; created?: string | undefined },
): DeploymentCondition[] {
  let conditions = before;
  const { progressDeadlineSeconds, paused } = deployment.spec ?? {};
  if (!hasDeadline(progressDeadlineSeconds)) return conditions.filter(({ type }) => type !== 'Progressing');
  const progress = () => find(conditions, 'Progressing');
  const say = (status: 'True' | 'False' | 'Unknown', reason: string, message: string, isMoving = false) =>
    put(conditions, { type: 'Progressing', status, reason, message }, nowMs, isMoving);

  if (paused) {
    const isTold = progress()?.reason === pausedReason || progress()?.reason === timedOutReason;
    return isTold ? conditions : say('Unknown', pausedReason, 'Deployment is paused');
  }
  if (progress()?.reason === pausedReason)
    return say('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  if (!isRollout) return conditions;

  if (created !== undefined) {
    conditions = say('True', 'NewReplicaSetCreated', `Created new replica set "${created}"`);
  } else if (!progress() && current) {
    conditions = say('True', 'FoundNewReplicaSet', `Found new replica set "${current.metadata?.name}"`);
  }
  const replicaSet = current?.metadata?.name ?? created;
  const name =
    replicaSet === undefined ? `Deployment "${deployment.metadata?.name}"` : `ReplicaSet "${replicaSet}"`;
  const { reason, lastUpdateTime } = progress() ?? {};
  if (reason === completeReason && counts.replicas === counts.updatedReplicas) return conditions;
  if (isComplete(deployment, counts))
    return say('True', completeReason, `${name} has successfully progressed.`);
  if (isProgressing(deployment.status, counts)) {
    return say('True', 'ReplicaSetUpdated', `${name} is progressing.`, true);
  }
  // Nothing is late before a rollout has begun.
  if (reason === undefined || reason === completeReason) return conditions;
  const sinceMs = nowMs - (Date.parse(lastUpdateTime ?? '') || nowMs);
  const isLate = sinceMs > progressDeadlineSeconds * 1000;
  return isLate ? say('False', timedOutReason, `${name} has timed out progressing.`) : conditions;
}

function isProgressing(before: DeploymentStatus = {}, now: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function find<C extends { readonly type: string }>(conditions: readonly C[] | undefined, type: string) {
  return conditions?.find((condition) => condition.type === type);
}

/** Replaces the condition of this type; one that says the same stays as it is, unless `isMoving` renews its time. */
function put(conditions: DeploymentCondition[], news: News, nowMs: number, isMoving = false) {
  const current = find(conditions, news.type);
  if (current?.status === news.status && current.reason === news.reason && !isMoving) return conditions;
  const time = toTime(nowMs);
  const condition: DeploymentCondition = {
    ...news,
    lastUpdateTime: time,
    lastTransitionTime: current?.status === news.status ? (current.lastTransitionTime ?? time) : time,
  };
  return [...conditions.filter((each) => each !== current), condition];
}
