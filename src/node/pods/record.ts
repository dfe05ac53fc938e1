import type { Pod } from '../../api/kinds/pod.ts';
import type { CrashBackOff, PullBackOff } from './backoff.ts';

export type PodSpec = NonNullable<Pod['spec']>;
export type PodStatus = NonNullable<Pod['status']>;
export type Container = PodSpec['containers'][number];

/** Where a container is in its life. `waiting` carries the reason and message that the API shows. */
export type Phase =
  | { kind: 'waiting'; reason: string; message?: string; sinceMs: number; retryAtMs?: number }
  /** The agent is fetching the image, writing volumes, or asking the runtime; nothing runs yet. */
  | { kind: 'creating' }
  | { kind: 'running'; startedAtMs: number; isListening: boolean }
  | { kind: 'stopping'; startedAtMs: number; mustRestart: boolean }
  | ({ kind: 'terminated' } & Terminated);

export interface Terminated {
  exitCode: number;
  reason: string;
  message?: string;
  startedAtMs: number;
  finishedAtMs: number;
  containerId: string;
  /** It didn't end by itself (a reboot, a failed liveness probe), so it starts again whatever its exit code. */
  mustRestart?: boolean;
  /** Nothing was wrong with it: it starts again without back-off. */
  isLost?: boolean;
}

export interface ContainerRecord {
  /** How often it was restarted; part of the container's id. */
  restartCount: number;
  phase: Phase;
  /** The image reference that the current attempt runs, and what it was resolved to. */
  image?: { reference: string; id: string };
  lastTerminated?: Terminated;
  crashBackOff?: CrashBackOff;
  pullBackOff?: PullBackOff;
  /** Its process runs, but its postStart hook is not done. */
  isPostStarting?: boolean;
  /** Verdicts of the probes on the current attempt. */
  isStarted: boolean;
  isReady: boolean;
}

/** All that the agent knows of one pod, and all that it needs to keep the pod running without the API server. */
export interface PodRecord {
  uid: string;
  namespace: string;
  name: string;
  /** The object as the API server last showed it. */
  pod: Pod;
  acceptedAtMs: number;
  ip?: string;
  containers: Record<string, ContainerRecord>;
  /** What its image volumes show, by volume: images as they were resolved. */
  volumeImages?: Record<string, string>;
  /** The reference of the model that its model volume shows. */
  shownModel?: string;
  /** The API server no longer has this pod; it is to end here too. */
  isGone?: boolean;
  /** When its containers began to be ended. */
  endingSinceMs?: number;
  /** Why the pod as a whole failed, though its containers may not have. */
  failure?: { reason: string; message: string };
  /** The node shuts down: the pod has at most so long to end. */
  shutdownSeconds?: number;
  /** The status as last computed; its transition times carry over to the next. */
  status?: PodStatus;
}

export const initContainersOf = (record: PodRecord): Container[] =>
  // An init container has every field of a container; `restartPolicy: Always` makes it a sidecar.
  (record.pod.spec?.initContainers ?? []) as Container[];
export const mainContainersOf = (record: PodRecord): Container[] => record.pod.spec?.containers ?? [];
/** Added to a running pod to look into it; they run once and count for nothing. */
export const ephemeralContainersOf = (record: PodRecord): Container[] =>
  // One has the fields of a container, and a target.
  (record.pod.spec?.ephemeralContainers ?? []) as Container[];
export const allContainersOf = (record: PodRecord): Container[] => [
  ...initContainersOf(record),
  ...mainContainersOf(record),
  ...ephemeralContainersOf(record),
];

export const isSidecar = (container: Container): boolean =>
  (container as { restartPolicy?: string }).restartPolicy === 'Always';

/** A container's id with the runtime: unique for each attempt, and readable by the next agent. */
export const containerId = (uid: string, container: string, restartCount: number): string =>
  `${uid}/${container}/${restartCount}`;

export function parseContainerId(
  id: string,
): { uid: string; container: string; restartCount: number } | undefined {
  const match = /^([^/]+)\/([^/]+)\/(\d+)$/.exec(id);
  return match ? { uid: match[1]!, container: match[2]!, restartCount: Number(match[3]) } : undefined;
}

/** The images that the pod runs or shows, as they were resolved. */
export const imagesOf = ({ containers, volumeImages = {} }: PodRecord): string[] => [
  ...Object.values(containers).flatMap(({ image }) => image?.id ?? []),
  ...Object.values(volumeImages),
];

/** Whether a process of this container may exist. */
export const isAlive = (container: ContainerRecord): boolean =>
  ['creating', 'running', 'stopping'].includes(container.phase.kind);

export const isEnding = (record: PodRecord): boolean =>
  record.isGone === true ||
  record.failure !== undefined ||
  record.pod.metadata?.deletionTimestamp !== undefined;

/** Whether the API server wants the pod away, as opposed to it having failed by itself. */
export const isDeleted = (record: PodRecord): boolean =>
  record.isGone === true || record.pod.metadata?.deletionTimestamp !== undefined;

/** Seconds between SIGTERM and SIGKILL: `terminationGracePeriodSeconds`, unless the delete asked for others. */
export function graceSecondsOf(record: PodRecord): number {
  const { metadata, spec } = record.pod;
  const byDelete = metadata?.deletionTimestamp ? metadata.deletionGracePeriodSeconds : undefined;
  const asked = byDelete ?? spec?.terminationGracePeriodSeconds ?? 30;
  return Math.min(asked, record.shutdownSeconds ?? Number.POSITIVE_INFINITY);
}

/**
 * Begins a record for a pod that the agent sees for the first time. What an earlier agent reported of it (its IP,
 * its restart counts) is taken over, in case that agent's own state was lost.
 */
export function acceptPod(pod: Pod, nowMs: number): PodRecord {
  const { metadata, status } = pod;
  const record: PodRecord = {
    uid: metadata!.uid!,
    namespace: metadata!.namespace!,
    name: metadata!.name!,
    pod,
    acceptedAtMs: status?.startTime ? Date.parse(status.startTime) : nowMs,
    containers: {},
    ...(status?.podIP && { ip: status.podIP }),
  };
  const reported = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  const hasInits = initContainersOf(record).length > 0;
  for (const { name } of allContainersOf(record)) {
    const before = reported.find((each) => each.name === name);
    const container = newContainer({
      restartCount: before?.restartCount ?? 0,
      reason: hasInits ? 'PodInitializing' : 'ContainerCreating',
      nowMs,
    });
    const ended = before?.state?.terminated;
    if (ended) container.phase = { kind: 'terminated', ...reportedEnd(record.uid, name, container, ended) };
    record.containers[name] = container;
  }
  if (status?.phase === 'Failed') {
    record.failure = { reason: status.reason ?? 'Error', message: status.message ?? 'The pod has failed' };
  }
  return record;
}

function reportedEnd(
  uid: string,
  name: string,
  container: ContainerRecord,
  ended: { exitCode: number; reason?: string; message?: string; startedAt?: string; finishedAt?: string },
): Terminated {
  const { exitCode, reason = 'Error', message } = ended;
  return {
    exitCode,
    reason,
    ...(message && { message }),
    startedAtMs: Date.parse(ended.startedAt ?? '') || 0,
    finishedAtMs: Date.parse(ended.finishedAt ?? '') || 0,
    containerId: containerId(uid, name, container.restartCount),
  };
}

/** Begins records of containers that have been added to the pod. */
export function acceptContainers(record: PodRecord, nowMs: number): void {
  for (const { name } of ephemeralContainersOf(record)) {
    record.containers[name] ??= newContainer({ restartCount: 0, reason: 'ContainerCreating', nowMs });
  }
}

export function newContainer(options: {
  restartCount: number;
  reason: string;
  nowMs: number;
}): ContainerRecord {
  return {
    restartCount: options.restartCount,
    phase: { kind: 'waiting', reason: options.reason, sinceMs: options.nowMs },
    isStarted: false,
    isReady: false,
  };
}
