import { scaledValue } from '../../api/int-or-string.ts';
import type { DaemonSet, DaemonSetStatus } from '../../api/kinds/daemonSet.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { hasPodEnded } from '../../api/pod-ended.ts';
import { isPodAvailable, isPodReady } from '../pods.ts';
import { revisionHashLabel } from '../revisions.ts';
import { eligibility, isCurrent, nodeOf } from './pod.ts';

/** Pods created or deleted in one go; the rest follows when these are seen. */
export const burstMax = 250;

export interface DaemonSetState {
  daemonSet: DaemonSet;
  nodes: readonly Node[];
  /** Those that it controls, ended ones and those being deleted included. */
  pods: readonly Pod[];
  /** Of the current template. */
  hash: string;
  nowMs: number;
}

export interface DaemonSetPlan {
  /** Names of nodes that get a pod. */
  create: string[];
  remove: Pod[];
  /** Pods that ended by themselves; the run paces how fast they are replaced. */
  ended: Pod[];
  status: DaemonSetStatus;
}

/** A node, whether it should run a pod, and the pods that are there, the oldest first. */
interface Place {
  name: string;
  shouldRun: boolean;
  mayStay: boolean;
  /** Without those that have ended and are being deleted: nothing comes of them. */
  pods: Pod[];
  /** Those of `pods` that are not being deleted. */
  live: Pod[];
}

/** One step towards one current pod on each eligible node. */
export function plan(state: DaemonSetState): DaemonSetPlan {
  const { daemonSet } = state;
  const places = placesOf(state);
  const planned: DaemonSetPlan = { create: [], remove: [], ended: [], status: statusOf(state, places) };
  if (daemonSet.metadata?.deletionTimestamp) return planned;
  const surge = limitsOf(daemonSet, planned.status.desiredNumberScheduled).maxSurge;
  for (const place of places) keepOne(state, place, planned, surge > 0);
  planned.remove.push(...leftBehind(state, places));
  const isSettled = planned.create.length + planned.remove.length + planned.ended.length === 0;
  const { type = 'RollingUpdate' } = daemonSet.spec?.updateStrategy ?? {};
  if (isSettled && type === 'RollingUpdate') {
    if (surge > 0) surgeOut(state, places, planned);
    else rollOut(state, places, planned);
  }
  planned.create = planned.create.slice(0, burstMax);
  planned.remove = planned.remove.slice(0, burstMax);
  return planned;
}

function placesOf({ daemonSet, nodes, pods }: DaemonSetState): Place[] {
  const here = pods.filter((pod) => !(hasPodEnded(pod) && isGoing(pod)));
  const byNode = Map.groupBy(here, (pod) => nodeOf(pod) ?? '');
  return nodes.map((node) => {
    const name = node.metadata?.name ?? '';
    const onNode = [...(byNode.get(name) ?? [])].sort(boundAndOlderFirst);
    const live = onNode.filter((pod) => !isGoing(pod));
    return { name, ...eligibility(daemonSet, node), pods: onNode, live };
  });
}

/** Pods for nodes that are no more and never were bound. */
function leftBehind({ pods }: DaemonSetState, places: readonly Place[]): Pod[] {
  const known = new Set(places.map(({ name }) => name));
  return pods.filter((pod) => !known.has(nodeOf(pod) ?? '') && !pod.spec?.nodeName && !isGoing(pod));
}

function keepOne(
  { hash, daemonSet, nowMs }: DaemonSetState,
  place: Place,
  planned: DaemonSetPlan,
  maySurge: boolean,
): void {
  const { shouldRun, mayStay, pods, live, name } = place;
  if (shouldRun && pods.length === 0) {
    planned.create.push(name);
    return;
  }
  if (!mayStay) {
    planned.remove.push(...live);
    return;
  }
  planned.ended.push(...live.filter(hasPodEnded));
  const running = live.filter((pod) => !hasPodEnded(pod));
  if (!maySurge) {
    planned.remove.push(...running.slice(1));
    return;
  }
  if (running.length === 0 && shouldRun) planned.create.push(name);
  if (running.length <= 1) return;
  // While a new pod comes up the old one stays, until the new one is available or the old one is of no use.
  const [fresh = [], old = []] = [true, false].map((is) =>
    running.filter((pod) => (pod.metadata?.labels?.[revisionHashLabel] === hash) === is),
  );
  planned.remove.push(...fresh.slice(1), ...old.slice(1));
  if (!fresh[0] || !old[0]) return;
  const isReplaced = isPodAvailable(fresh[0], daemonSet.spec?.minReadySeconds ?? 0, nowMs);
  if (!isPodReady(old[0]) || isReplaced) planned.remove.push(old[0]);
}

/** The pod of the current template and the one of an earlier one; undefined when there are two of a kind. */
function pairOf({ daemonSet, hash }: DaemonSetState, { live }: Place) {
  const [fresh, ...moreFresh] = live.filter((pod) => isCurrent(daemonSet, pod, hash));
  const [old, ...moreOld] = live.filter((pod) => !isCurrent(daemonSet, pod, hash));
  return moreFresh.length + moreOld.length > 0 ? undefined : { fresh, old };
}

/** Deletes pods of earlier templates as far as the limit permits; those that serve nobody in any case. */
function rollOut(state: DaemonSetState, places: readonly Place[], planned: DaemonSetPlan): void {
  const { maxUnavailable } = limitsOf(state.daemonSet, planned.status.desiredNumberScheduled);
  const candidates: Pod[] = [];
  let unavailable = 0;
  for (const place of places.filter(({ shouldRun, pods }) => shouldRun || pods.length > 0)) {
    const { fresh, old } = pairOf(state, place) ?? {};
    if (old && !fresh && isAvailable(state, old)) candidates.push(old);
    else if (old && !fresh) {
      planned.remove.push(old);
      unavailable++;
    } else if (!fresh || old || !isAvailable(state, fresh)) unavailable++;
  }
  planned.remove.push(...candidates.slice(0, Math.max(0, maxUnavailable - unavailable)));
}

/** Creates pods of the current template beside earlier ones, which go when the new ones are available. */
function surgeOut(state: DaemonSetState, places: readonly Place[], planned: DaemonSetPlan): void {
  const desired = planned.status.desiredNumberScheduled;
  const { maxSurge } = limitsOf(state.daemonSet, desired);
  const candidates: string[] = [];
  /** Old ones on nodes that get no new one; they go when there is one more than needed. */
  const spare: Pod[] = [];
  let [surging, available] = [0, 0];
  for (const place of places.filter(({ shouldRun, pods }) => shouldRun || pods.length > 0)) {
    const pair = pairOf(state, place);
    if (!pair) {
      surging++;
      continue;
    }
    const { fresh, old } = pair;
    const [serving] = [old, fresh].filter((pod) => pod !== undefined);
    const isServing = serving !== undefined && isAvailable(state, serving);
    if (isServing) available++;
    if (!old) continue;
    if (fresh) {
      if (isAvailable(state, fresh)) planned.remove.push(old);
      else surging++;
    } else if (place.shouldRun) (isServing ? candidates : planned.create).push(place.name);
    else (isServing ? spare : planned.remove).push(old);
  }
  planned.remove.push(...spare.slice(0, Math.max(0, available - desired)));
  planned.create.push(...candidates.slice(0, Math.max(0, maxSurge - surging)));
}

const isAvailable = ({ daemonSet, nowMs }: DaemonSetState, pod: Pod) =>
  isPodAvailable(pod, daemonSet.spec?.minReadySeconds ?? 0, nowMs);

function limitsOf({ spec }: DaemonSet, desired: number): { maxSurge: number; maxUnavailable: number } {
  const { type = 'RollingUpdate', rollingUpdate } = spec?.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return { maxSurge: 0, maxUnavailable: 0 };
  const maxSurge = scaledValue(rollingUpdate?.maxSurge ?? 0, desired, 'up');
  const maxUnavailable = scaledValue(rollingUpdate?.maxUnavailable ?? 1, desired, 'up');
  return { maxSurge, maxUnavailable: maxSurge === 0 ? Math.max(1, maxUnavailable) : maxUnavailable };
}

const isGoing = ({ metadata }: Pod) => metadata?.deletionTimestamp !== undefined;

function boundAndOlderFirst(a: Pod, b: Pod): number {
  const isBound = ({ spec }: Pod) => (spec?.nodeName ? 0 : 1);
  const createdOf = ({ metadata }: Pod) => metadata?.creationTimestamp ?? '';
  return (
    isBound(a) - isBound(b) ||
    createdOf(a).localeCompare(createdOf(b)) ||
    (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? '')
  );
}

/** Of each node the oldest pod counts, be it on its way out. */
function statusOf(state: DaemonSetState, places: readonly Place[]): DaemonSetStatus {
  const { daemonSet, hash } = state;
  const desired = places.filter(({ shouldRun }) => shouldRun);
  const oldest = desired.flatMap(({ pods }) => pods.slice(0, 1));
  const available = oldest.filter((pod) => isAvailable(state, pod)).length;
  const updated = oldest.filter((pod) => isCurrent(daemonSet, pod, hash)).length;
  const unavailable = desired.length - available;
  const { collisionCount, conditions } = daemonSet.status ?? {};
  return {
    currentNumberScheduled: oldest.length,
    desiredNumberScheduled: desired.length,
    numberMisscheduled: places.filter(({ shouldRun, pods }) => !shouldRun && pods.length > 0).length,
    numberReady: oldest.filter(isPodReady).length,
    observedGeneration: daemonSet.metadata?.generation ?? 0,
    ...(available > 0 && { numberAvailable: available }),
    ...(unavailable > 0 && { numberUnavailable: unavailable }),
    ...(updated > 0 && { updatedNumberScheduled: updated }),
    ...(collisionCount && { collisionCount }),
    ...(conditions && { conditions }),
  };
}
