import { conditionOf, isConditionTrue } from '../../api/conditions.ts';
import { toTime } from '../../base/clock.ts';
import { shutdownMessage } from '../shutdown.ts';
import { restarts } from './plan.ts';
import {
  type Container,
  type ContainerRecord,
  containerId,
  ephemeralContainersOf,
  initContainersOf,
  isAlive,
  isSidecar,
  mainContainersOf,
  type PodRecord,
  type PodStatus,
  type Terminated,
} from './record.ts';

type Condition = NonNullable<PodStatus['conditions']>[number];
type ContainerStatus = NonNullable<PodStatus['containerStatuses']>[number];
type Verdict = { isTrue: boolean; reason?: string; message?: string };

/** Computes what the API shows of a pod. Pure; transition times carry over from `record.status`. */
export function podStatus(record: PodRecord, node: { hostIP: string; nowMs: number }): PodStatus {
  const phase = podPhase(record);
  const initContainerStatuses = initContainersOf(record).map((each) => containerStatus(record, each));
  const containerStatuses = mainContainersOf(record).map((each) => containerStatus(record, each));
  const ephemeralContainerStatuses = ephemeralContainersOf(record).map((each) => {
    return { ...containerStatus(record, each), ready: false };
  });
  const status = {
    phase,
    conditions: conditions(record, phase, node.nowMs),
    hostIP: node.hostIP,
    hostIPs: [{ ip: node.hostIP }],
    ...(record.ip && { podIP: record.ip, podIPs: [{ ip: record.ip }] }),
    startTime: toTime(record.acceptedAtMs),
    ...(initContainerStatuses.length > 0 && { initContainerStatuses }),
    // Of a pod that this node refuses there is nothing to tell but why.
    ...(!(record.failure && !hasAnyBegun(record)) && { containerStatuses }),
    ...(ephemeralContainerStatuses.length > 0 && { ephemeralContainerStatuses }),
    qosClass: record.pod.status?.qosClass ?? qosClass(record),
    ...(record.failure && { reason: record.failure.reason, message: record.failure.message }),
  };
  // The fields above are Kubernetes' own; the kind's type spells some of them as narrower unions.
  return status as PodStatus;
}

/** The pod's phase, as the pod lifecycle page defines it. */
export function podPhase(record: PodRecord): 'Pending' | 'Running' | 'Succeeded' | 'Failed' {
  const mains = mainContainersOf(record);
  const stateOf = (container: Container) => record.containers[container.name]!;
  const anyAlive = [...initContainersOf(record), ...mains].some((each) => isAlive(stateOf(each)));
  if (record.failure) return anyAlive ? 'Running' : 'Failed';
  const failedInit = initContainersOf(record).find(
    (each) => !isSidecar(each) && hasFailedForGood(record, each),
  );
  if (failedInit) return 'Failed';
  if (mains.every((each) => isEnded(record, each))) {
    if (anyAlive) return 'Running';
    return mains.every((each) => exitCodeOf(stateOf(each)) === 0) ? 'Succeeded' : 'Failed';
  }
  return mains.some((each) => hasBegun(stateOf(each))) ? 'Running' : 'Pending';
}

export function isReadyToServe(record: PodRecord): boolean {
  return isConditionTrue(record, 'Ready');
}

function conditions(record: PodRecord, phase: string, nowMs: number): Condition[] {
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  const isCompleted = phase === 'Succeeded';
  const serving = [...initContainersOf(record).filter(isSidecar), ...mainContainersOf(record)];
  const containersReady = readiness(record, serving, isOver, isCompleted);
  const verdicts: Record<string, Verdict> = {
    PodReadyToStartContainers: { isTrue: record.ip !== undefined && !isOver },
    Initialized: initialized(record, isCompleted),
    Ready: podReady(record, containersReady),
    ContainersReady: containersReady,
    PodScheduled: { isTrue: true },
    ...(record.shutdownSeconds !== undefined && { DisruptionTarget: disrupted }),
  };
  const before = [...(record.status?.conditions ?? []), ...(record.pod.status?.conditions ?? [])];
  return Object.entries(verdicts).map(([type, verdict]) => {
    const old = before.find((each) => each.type === type);
    return condition(type, verdict, old, nowMs);
  });
}

const disrupted: Verdict = { isTrue: true, reason: 'TerminationByKubelet', message: shutdownMessage };

function condition(type: string, verdict: Verdict, old: Condition | undefined, nowMs: number): Condition {
  const status = verdict.isTrue ? 'True' : 'False';
  const changed = old?.status !== status;
  return {
    type,
    status,
    ...(verdict.reason && { reason: verdict.reason }),
    ...(verdict.message && { message: verdict.message }),
    lastTransitionTime: changed ? toTime(nowMs) : (old?.lastTransitionTime ?? toTime(nowMs)),
  } as Condition;
}

function readiness(
  record: PodRecord,
  containers: Container[],
  isOver: boolean,
  isCompleted: boolean,
): Verdict {
  if (isCompleted) return { isTrue: false, reason: 'PodCompleted' };
  if (isOver) return { isTrue: false, reason: 'PodFailed' };
  const unready = containers.filter(({ name }) => !record.containers[name]!.isReady).map(({ name }) => name);
  if (unready.length === 0) return { isTrue: true };
  return {
    isTrue: false,
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

/** Ready also needs the conditions that `spec.readinessGates` name, which others write. */
function podReady(record: PodRecord, containersReady: Verdict): Verdict {
  if (!containersReady.isTrue) return containersReady;
  const gates = (record.pod.spec as { readinessGates?: { conditionType: string }[] }).readinessGates ?? [];
  for (const { conditionType } of gates) {
    const found = conditionOf(record.pod, conditionType);
    if (found?.status === 'True') continue;
    const why = found
      ? `the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`
      : `corresponding condition of pod readiness gate "${conditionType}" does not exist.`;
    return { isTrue: false, reason: 'ReadinessGatesNotReady', message: why };
  }
  return { isTrue: true };
}

function initialized(record: PodRecord, isCompleted: boolean): Verdict {
  if (isCompleted) return { isTrue: true, reason: 'PodCompleted' };
  const hasMainBegun = mainContainersOf(record).some(({ name }) => hasBegun(record.containers[name]!));
  const incomplete = initContainersOf(record).filter((each) => {
    const container = record.containers[each.name]!;
    return isSidecar(each) ? !container.isStarted : exitCodeOf(container) !== 0;
  });
  if (hasMainBegun || incomplete.length === 0) return { isTrue: true };
  return {
    isTrue: false,
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${incomplete.map(({ name }) => name).join(' ')}]`,
  };
}

function containerStatus(record: PodRecord, spec: Container): ContainerStatus {
  const container = record.containers[spec.name]!;
  const hasRun = hasBegun(container);
  const isInit = initContainersOf(record).includes(spec) && !isSidecar(spec);
  const status = {
    name: spec.name,
    state: currentState(container),
    lastState: container.lastTerminated ? { terminated: terminated(container.lastTerminated) } : {},
    ready: isInit ? exitCodeOf(container) === 0 : container.isReady,
    started: container.isStarted,
    restartCount: container.restartCount,
    image: spec.image ?? '',
    imageID: container.image?.id ?? '',
    ...(hasRun && {
      containerID: `isolate://${containerId(record.uid, spec.name, container.restartCount)}`,
    }),
  };
  return status as ContainerStatus;
}

function currentState(container: ContainerRecord): unknown {
  const { phase } = container;
  if (phase.kind === 'creating') return { waiting: { reason: 'ContainerCreating' } };
  if (phase.kind === 'terminated') return { terminated: terminated(phase) };
  if (phase.kind === 'running' || phase.kind === 'stopping') {
    return { running: { startedAt: toTime(phase.startedAtMs) } };
  }
  return { waiting: { reason: phase.reason, ...(phase.message && { message: phase.message }) } };
}

function terminated(ended: Terminated): unknown {
  return {
    exitCode: ended.exitCode,
    reason: ended.reason,
    ...(ended.message && { message: ended.message }),
    startedAt: toTime(ended.startedAtMs),
    finishedAt: toTime(ended.finishedAtMs),
    containerID: `isolate://${ended.containerId}`,
  };
}

const hasBegun = ({ phase, lastTerminated }: ContainerRecord): boolean =>
  ['running', 'stopping', 'terminated'].includes(phase.kind) || lastTerminated !== undefined;

const hasAnyBegun = (record: PodRecord): boolean => Object.values(record.containers).some(hasBegun);

const exitCodeOf = ({ phase }: ContainerRecord): number | undefined =>
  phase.kind === 'terminated' ? phase.exitCode : undefined;

/** Ended, and not to be started again; of a pod that is going away, one that never began counts too. */
const isEnded = (record: PodRecord, container: Container): boolean =>
  record.containers[container.name]!.phase.kind === 'terminated' && !restarts(record, container);

const hasFailedForGood = (record: PodRecord, container: Container): boolean =>
  isEnded(record, container) && exitCodeOf(record.containers[container.name]!) !== 0;

/** Kubernetes' quality-of-service class by requests and limits of cpu and memory. */
function qosClass(record: PodRecord): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const resources = [...initContainersOf(record), ...mainContainersOf(record)].map((each) => each.resources);
  const names = ['cpu', 'memory'] as const;
  const amount = (from: Record<string, unknown> | undefined, name: string) => from?.[name];
  const asksNothing = resources.every((each) =>
    names.every((name) => !amount(each?.requests, name) && !amount(each?.limits, name)),
  );
  if (asksNothing) return 'BestEffort';
  const isFixed = resources.every((each) =>
    names.every((name) => {
      const limit = amount(each?.limits, name);
      return limit !== undefined && (amount(each?.requests, name) ?? limit) === limit;
    }),
  );
  return isFixed ? 'Guaranteed' : 'Burstable';
}
