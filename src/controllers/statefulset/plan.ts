import type { Pod } from '../../api/kinds/pod.ts';
import type { StatefulSet, StatefulSetStatus } from '../../api/kinds/statefulSet.ts';
import { hasPodEnded } from '../../api/pod-ended.ts';
import { isPodAvailable, isPodReady } from '../pods.ts';
import { ordinalOf, revisionOf } from './pod.ts';

/** Pods created or deleted in one go; the rest follows when these are seen. */
export const burstMax = 500;

export interface StatefulSetState {
  statefulSet: StatefulSet;
  /** Those that it controls, ended ones and those being deleted included. */
  pods: readonly Pod[];
  /** Names of the revisions: the one that was complete last, and that of the template. */
  currentRevision: string;
  updateRevision: string;
  nowMs: number;
}

export interface StatefulSetPlan {
  create: { ordinal: number; isUpdated: boolean }[];
  remove: Pod[];
  status: StatefulSetStatus;
}

/**
 * One step: pods come up from the first to the last and go from the last to the first, one after the other unless the
 * policy is Parallel; then the newest template goes from the last to the first.
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees
 */
export function plan(state: StatefulSetState): StatefulSetPlan {
  const { statefulSet } = state;
  const planned: StatefulSetPlan = { create: [], remove: [], status: statusOf(state) };
  if (statefulSet.metadata?.deletionTimestamp) return planned;
  const isOrdered = statefulSet.spec?.podManagementPolicy !== 'Parallel';
  const places = placesOf(state);
  const isSettled =
    keepReplicas(state, places, planned, isOrdered) && condemn(state, places, planned, isOrdered);
  if (isSettled) rollOut(state, places, planned);
  planned.create = planned.create.slice(0, burstMax);
  planned.remove = planned.remove.slice(0, burstMax);
  return planned;
}

interface Places {
  /** From the first ordinal on; undefined where a pod is missing. */
  wanted: { ordinal: number; pod: Pod | undefined }[];
  /** Pods of other ordinals, the last first. */
  condemned: Pod[];
}

function placesOf({ statefulSet, pods }: StatefulSetState): Places {
  const { replicas = 1, ordinals } = statefulSet.spec!;
  const start = ordinals?.start ?? 0;
  const byOrdinal = new Map<number, Pod>();
  for (const pod of pods) byOrdinal.set(ordinalOf(statefulSet, pod) ?? -1, pod);
  const wanted = Array.from({ length: replicas }, (_, at) => ({
    ordinal: start + at,
    pod: byOrdinal.get(start + at),
  }));
  const condemned = [...byOrdinal]
    .filter(([ordinal]) => ordinal >= 0 && (ordinal < start || ordinal >= start + replicas))
    .sort(([a], [b]) => b - a)
    .map(([, pod]) => pod);
  return { wanted, condemned };
}

/** Answers whether the next part may begin. */
function keepReplicas(
  state: StatefulSetState,
  { wanted }: Places,
  planned: StatefulSetPlan,
  isOrdered: boolean,
): boolean {
  const { spec } = state.statefulSet;
  for (const { ordinal, pod } of wanted) {
    if (!pod) {
      planned.create.push({ ordinal, isUpdated: isUpdated(state, ordinal) });
      if (isOrdered) return false;
    } else if (hasPodEnded(pod)) {
      if (!isTerminating(pod)) planned.remove.push(pod);
      if (isOrdered) return false;
    } else if (
      isOrdered &&
      (isTerminating(pod) || !isPodAvailable(pod, spec?.minReadySeconds ?? 0, state.nowMs))
    ) {
      return false;
    }
  }
  return true;
}

function condemn(
  { statefulSet, nowMs }: StatefulSetState,
  { wanted, condemned }: Places,
  planned: StatefulSetPlan,
  isOrdered: boolean,
): boolean {
  // The first that is not well, of the lowest ordinals first, may go although it is not well.
  const all = [...wanted.map(({ pod }) => pod), ...[...condemned].reverse()];
  const firstUnhealthy = all.find((pod) => pod && !isHealthy(pod));
  const { minReadySeconds = 0 } = statefulSet.spec!;
  const isWell = (pod: Pod) => isHealthy(pod) && isPodAvailable(pod, minReadySeconds, nowMs);
  for (const pod of condemned) {
    if (isTerminating(pod)) {
      if (isOrdered) return false;
      continue;
    }
    if (isOrdered && !isWell(pod) && pod !== firstUnhealthy) return false;
    planned.remove.push(pod);
    if (isOrdered) return false;
  }
  return true;
}

function rollOut(state: StatefulSetState, { wanted }: Places, planned: StatefulSetPlan): void {
  const { updateStrategy } = state.statefulSet.spec!;
  if (updateStrategy?.type === 'OnDelete') return;
  for (const { ordinal, pod } of [...wanted].reverse()) {
    if (!isUpdated(state, ordinal)) return;
    if (!pod) return;
    const isOld = revisionOf(pod) !== state.updateRevision;
    if (isOld && !isTerminating(pod) && !planned.remove.includes(pod)) {
      planned.remove.push(pod);
      if (revisionOf(pod) === state.currentRevision) planned.status = withOneLess(planned.status);
      return;
    }
    if (!isHealthy(pod)) return;
  }
}

/** A pod that is just being replaced is no longer one of the revision before. */
function withOneLess({ currentReplicas = 0, ...status }: StatefulSetStatus): StatefulSetStatus {
  return currentReplicas > 1 ? { ...status, currentReplicas: currentReplicas - 1 } : status;
}

/** Whether a pod of this ordinal is to have the template, or what was before while the update stops above it. */
function isUpdated({ statefulSet }: StatefulSetState, ordinal: number): boolean {
  const { updateStrategy, ordinals } = statefulSet.spec!;
  if (updateStrategy?.type === 'OnDelete') return true;
  return ordinal >= (ordinals?.start ?? 0) + (updateStrategy?.rollingUpdate?.partition ?? 0);
}

function isTerminating({ metadata }: Pod): boolean {
  return metadata?.deletionTimestamp !== undefined;
}

function isHealthy(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isPodReady(pod) && !isTerminating(pod);
}

function statusOf(state: StatefulSetState): StatefulSetStatus {
  const { statefulSet, pods, currentRevision, updateRevision, nowMs } = state;
  const { minReadySeconds = 0, replicas = 1, updateStrategy } = statefulSet.spec ?? {};
  const own = pods.filter((pod) => ordinalOf(statefulSet, pod) !== undefined);
  const ready = own.filter((pod) => pod.status?.phase === 'Running' && isPodReady(pod));
  const of = (revision: string) =>
    own.filter((pod) => revisionOf(pod) === revision && !isTerminating(pod)).length;
  const updated = of(updateRevision);
  const isComplete =
    updateStrategy?.type !== 'OnDelete' &&
    updated === replicas &&
    own.length === replicas &&
    ready.length === replicas;
  const current = isComplete ? updated : of(currentRevision);
  const { collisionCount = 0, conditions } = statefulSet.status ?? {};
  return {
    observedGeneration: statefulSet.metadata?.generation ?? 0,
    replicas: own.length,
    availableReplicas: ready.filter((pod) => isPodAvailable(pod, minReadySeconds, nowMs)).length,
    ...(ready.length > 0 && { readyReplicas: ready.length }),
    ...(current > 0 && { currentReplicas: current }),
    ...(updated > 0 && { updatedReplicas: updated }),
    currentRevision: isComplete ? updateRevision : currentRevision,
    updateRevision,
    collisionCount,
    ...(conditions && { conditions }),
  };
}
