import { isConditionTrue } from '../conditions.ts';
import { ageOf } from '../duration.ts';
import type { Column } from '../kind.ts';
import type { Pod } from '../kinds/pod.ts';
import type { Container } from '../parts/container.ts';
import type { ContainerStatus } from '../parts/podStatus.ts';
import { hasPodEnded } from '../pod-ended.ts';
import { ageColumn, nameColumn } from '../table.ts';

/** What `kubectl get pods` shows; the rules are those of Kubernetes' own printer (`printPod`). */
export const podColumns: Column<Pod>[] = [
  nameColumn,
  { name: 'Ready', doc: 'Ready containers of all.', value: (pod) => podSummary(pod, 0).ready },
  {
    name: 'Status',
    doc: 'The state of the pod and its containers in one word.',
    value: (pod) => podSummary(pod, 0).status,
  },
  {
    name: 'Restarts',
    doc: 'How often containers were restarted, and when last.',
    value: (pod, nowMs) => podSummary(pod, nowMs).restarts,
  },
  ageColumn,
  {
    name: 'IP',
    priority: 1,
    doc: "The pod's first address.",
    value: (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '<none>',
  },
  {
    name: 'Node',
    priority: 1,
    doc: 'The node that the pod is bound to.',
    value: (pod) => pod.spec?.nodeName || '<none>',
  },
  {
    name: 'Nominated Node',
    priority: 1,
    doc: 'The node that a pod waits for while others are preempted.',
    value: (pod) => pod.status?.nominatedNodeName || '<none>',
  },
  { name: 'Readiness Gates', priority: 1, doc: 'Fulfilled readiness gates of all.', value: readinessGates },
];

/** `ready` is `1/2`, `restarts` is `2 (3m ago)`. */
export function podSummary(pod: Pod, nowMs: number): { ready: string; status: string; restarts: string } {
  const sidecars = (pod.spec?.initContainers ?? []).filter(
    (container) => container.restartPolicy === 'Always',
  );
  const init = initSummary(pod);
  const main = mainSummary(pod);
  const isInitializing = init.reason !== undefined && !isConditionTrue(pod, 'Initialized');
  const restarted = isInitializing ? init.restarted : [...init.restartedSidecars, ...main.restarted];
  const total = (pod.spec?.containers?.length ?? 0) + sidecars.length;
  const ready = isInitializing ? init.readySidecars : init.readySidecars + main.ready;
  const reason = isInitializing ? init.reason! : main.reason;
  return {
    ready: `${ready}/${total}`,
    status: finalReason(pod, reason),
    restarts: showRestarts(restarted, nowMs),
  };
}

function finalReason(pod: Pod, reason: string): string {
  if (!pod.metadata?.deletionTimestamp) return reason;
  if (pod.status?.reason === 'NodeLost') return 'Unknown';
  return hasPodEnded(pod) ? reason : 'Terminating';
}

function initSummary(pod: Pod) {
  const specs = new Map((pod.spec?.initContainers ?? []).map((container) => [container.name, container]));
  const summary = {
    reason: undefined as string | undefined,
    restarted: [] as ContainerStatus[],
    restartedSidecars: [] as ContainerStatus[],
    readySidecars: 0,
  };
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const isSidecar = specs.get(status.name)?.restartPolicy === 'Always';
    summary.restarted.push(status);
    if (isSidecar) summary.restartedSidecars.push(status);
    if (status.state?.terminated?.exitCode === 0 && !isSidecar) continue;
    if (isSidecar && status.started) {
      if (status.ready) summary.readySidecars++;
      continue;
    }
    summary.reason = `Init:${initReason(status, index, specs)}`;
    break;
  }
  return summary;
}

function initReason(status: ContainerStatus, index: number, specs: Map<string, Container>): string {
  const { terminated, waiting } = status.state ?? {};
  if (terminated) return terminatedReason(terminated);
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return waiting.reason;
  return `${index}/${specs.size}`;
}

function mainSummary(pod: Pod): { reason: string; ready: number; restarted: ContainerStatus[] } {
  const statuses = pod.status?.containerStatuses ?? [];
  let reason: string = pod.status?.reason || pod.status?.phase || 'Unknown';
  if (
    pod.status?.conditions?.some((each) => each.type === 'PodScheduled' && each.reason === 'SchedulingGated')
  ) {
    reason = 'SchedulingGated';
  }
  let isRunning = false;
  // The first container's word counts most, so it is heard last.
  for (const { state, ready } of [...statuses].reverse()) {
    if (state?.waiting?.reason) reason = state.waiting.reason;
    else if (state?.terminated) reason = terminatedReason(state.terminated);
    else if (ready && state?.running) isRunning = true;
  }
  if (reason === 'Completed' && isRunning) reason = isConditionTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  return {
    reason,
    ready: statuses.filter(({ ready, state }) => ready && state?.running).length,
    restarted: statuses,
  };
}

function terminatedReason(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

function showRestarts(statuses: readonly ContainerStatus[], nowMs: number): string {
  const count = statuses.reduce((sum, status) => sum + (status.restartCount ?? 0), 0);
  const last = statuses
    .map((status) => status.lastState?.terminated?.finishedAt ?? '')
    .sort()
    .at(-1);
  return count > 0 && last ? `${count} (${ageOf(last, nowMs)} ago)` : `${count}`;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter((gate) => isConditionTrue(pod, gate.conditionType)).length}/${gates.length}`;
}
