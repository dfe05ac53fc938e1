import { scaledValue } from '../../api/int-or-string.ts';
import type { DaemonSet, DaemonSetStatus } from '../../api/kinds/daemonSet.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { hasPodEnded, isPodAvailable, isPodReady } from '../pods.ts';
import { revisionHashLabel } from '../revisions.ts';
import { eligibility, nodeOf } from './pod.ts';

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

/** A node, whether it should run a pod, and the pods that are there; those being deleted are not in `live`. */
interface Place {
  name: string;
  shouldRun: boolean;
  mayStay: boolean;
  pods: Pod[];
  live: Pod[];
}

/** One step towards one current pod on each eligible node. */
export function plan(state: DaemonSetState): DaemonSetPlan {
  const { daemonSet, pods } = state;
  const places = placesOf(state);
  const planned: DaemonSetPlan = { create: [], remove: [], ended: [], status: statusOf(state, places) };
  if (daemonSet.metadata?.deletionTimestamp) return planned;
  const surge = limitsOf(daemonSet, planned.status.desiredNumberScheduled).maxSurge;
  for (const place of places) keepOne(state, place, planned, surge > 0);
  const known = new Set(places.map(({ name }) => name));
  // Pods for nodes that are no more and never were bound.
  planned.remove.push(
    ...pods.filter(
      (pod) => !known.has(nodeOf(pod) ?? '') && !pod.spec?.nodeName && !pod.metadata?.deletionTimestamp,
    ),
  );
  const { type = 'RollingUpdate' } = daemonSet.spec?.updateStrategy ?? {};
  if (type === 'RollingUpdate') rollOut(state, places, planned);
  planned.create = planned.create.slice(0, burstMax);
  planned.remove = planned.remove.slice(0, burstMax);
  return planned;
}

function placesOf({ daemonSet, nodes, pods }: DaemonSetState): Place[] {
  const byNode = Map.groupBy(pods, (pod) => nodeOf(pod) ?? '');
  return nodes.map((node) => {
    const name = node.metadata?.name ?? '';
    const here = byNode.get(name) ?? [];
    const live = here.filter(({ metadata }) => !metadata?.deletionTimestamp);
    return { name, ...eligibility(daemonSet, node), pods: here, live };
  });
}

function keepOne(
  { hash, daemonSet, nowMs }: DaemonSetState,
  place: Place,
  planned: DaemonSetPlan,
  maySurge: boolean,
): void {
  const { shouldRun, mayStay, pods, live, name } = place;
  if (!mayStay) {
    planned.remove.push(...live);
    return;
  }
  const ended = live.filter(hasPodEnded);
  planned.ended.push(...ended);
  const running = live.filter((pod) => !hasPodEnded(pod)).sort(olderFirst);
  if (shouldRun && pods.length === 0) planned.create.push(name);
  if (!maySurge) {
    planned.remove.push(...running.slice(1));
    return;
  }
  // While a new pod comes up the old one stays, until the new one is available.
  const old = running.filter((pod) => !isOf(pod, hash));
  const fresh = running.filter((pod) => isOf(pod, hash));
  const isReplaced = fresh.some((pod) => isPodAvailable(pod, daemonSet.spec?.minReadySeconds ?? 0, nowMs));
  planned.remove.push(...fresh.slice(1), ...(isReplaced ? old : old.slice(1)));
}

/** Replaces pods of earlier templates, as far as the limits permit. */
function rollOut({ daemonSet, hash, nowMs }: DaemonSetState, places: Place[], planned: DaemonSetPlan): void {
  const { minReadySeconds = 0 } = daemonSet.spec!;
  const { maxSurge, maxUnavailable } = limitsOf(daemonSet, planned.status.desiredNumberScheduled);
  const isAvailable = (pod: Pod) => isPodAvailable(pod, minReadySeconds, nowMs);
  const broken: Place[] = [];
  const candidates: Place[] = [];
  let [busy, unavailable] = [0, 0];
  for (const place of places.filter(({ shouldRun }) => shouldRun)) {
    const running = place.live.filter((pod) => !hasPodEnded(pod));
    const [old, fresh] = [running.find((pod) => !isOf(pod, hash)), running.find((pod) => isOf(pod, hash))];
    if (maxSurge > 0) {
      if (old && fresh) busy += isAvailable(fresh) ? 0 : 1;
      else if (old) (isAvailable(old) ? candidates : broken).push(place);
    } else if (old && !fresh && !isAvailable(old)) {
      broken.push(place);
      unavailable++;
    } else if (old && !fresh) candidates.push(place);
    else if (!fresh || !isAvailable(fresh)) unavailable++;
  }
  const room = Math.max(0, maxSurge > 0 ? maxSurge - busy : maxUnavailable - unavailable);
  const chosen = [...broken, ...candidates.slice(0, room)];
  if (maxSurge > 0) planned.create.push(...chosen.map(({ name }) => name));
  else {
    const gone = new Set(planned.remove);
    const old = chosen.flatMap(({ live }) => live.filter((pod) => !hasPodEnded(pod) && !gone.has(pod)));
    planned.remove.push(...old);
  }
}

function limitsOf({ spec }: DaemonSet, desired: number): { maxSurge: number; maxUnavailable: number } {
  const { type = 'RollingUpdate', rollingUpdate } = spec?.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return { maxSurge: 0, maxUnavailable: 0 };
  const maxSurge = scaledValue(rollingUpdate?.maxSurge ?? 0, desired, 'up');
  const maxUnavailable = scaledValue(rollingUpdate?.maxUnavailable ?? 1, desired, 'up');
  return { maxSurge, maxUnavailable: maxSurge === 0 ? Math.max(1, maxUnavailable) : maxUnavailable };
}

function isOf({ metadata }: Pod, hash: string): boolean {
  return metadata?.labels?.[revisionHashLabel] === hash;
}

function olderFirst(a: Pod, b: Pod): number {
  const createdOf = ({ metadata }: Pod) => metadata?.creationTimestamp ?? '';
  return (
    createdOf(a).localeCompare(createdOf(b)) || (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? '')
  );
}

function statusOf({ daemonSet, hash, nowMs }: DaemonSetState, places: readonly Place[]): DaemonSetStatus {
  const { minReadySeconds = 0 } = daemonSet.spec ?? {};
  const desired = places.filter(({ shouldRun }) => shouldRun);
  const current = desired.filter(({ live }) => live.length > 0);
  const newest = (place: Place) => [...place.live].sort(olderFirst).reverse();
  const withPod = (test: (pod: Pod) => boolean) => current.filter((place) => newest(place).some(test)).length;
  const available = withPod((pod) => isPodAvailable(pod, minReadySeconds, nowMs));
  const updated = withPod((pod) => isOf(pod, hash));
  const unavailable = desired.length - available;
  const { collisionCount, conditions } = daemonSet.status ?? {};
  return {
    currentNumberScheduled: current.length,
    desiredNumberScheduled: desired.length,
    numberMisscheduled: places.filter(({ shouldRun, live }) => !shouldRun && live.length > 0).length,
    numberReady: withPod(isPodReady),
    observedGeneration: daemonSet.metadata?.generation ?? 0,
    ...(available > 0 && { numberAvailable: available }),
    ...(unavailable > 0 && { numberUnavailable: unavailable }),
    ...(updated > 0 && { updatedNumberScheduled: updated }),
    ...(collisionCount && { collisionCount }),
    ...(conditions && { conditions }),
  };
}
