import { conditionOf } from '../../api/conditions.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { quantityNumber } from '../../api/quantity.ts';

/** No change within a tenth of the target. */
export const tolerance = 0.1;
/** A pod's first minutes of CPU use say little, unless it was ready for the whole window. */
const cpuInitializationMs = 5 * 60_000;
const initialReadinessDelayMs = 30_000;

/** What one pod uses of a resource, in its unit, over the `windowMs` before `atMs`. */
export interface PodMetric {
  value: number;
  atMs: number;
  windowMs: number;
}

export type PodMetrics = ReadonlyMap<string, PodMetric>;

export interface Question {
  pods: readonly Pod[];
  /** By pod name. */
  metrics: PodMetrics;
  currentReplicas: number;
  /** The resource, `cpu` or `memory`; undefined for a metric of another kind. */
  resource?: string;
  /** Of one container only. */
  container?: string;
  nowMs: number;
}

export interface Answer {
  replicas: number;
  /** Percent of the requests, where those count. */
  utilization?: number;
  averageValue: number;
}

/** For a target in percent of what the pods request. Throws an Error in kube-controller-manager's words. */
export function replicasForUtilization(question: Question, targetPercent: number): Answer {
  const requests = requestsOf(question);
  return decide(question, {
    ratioOf(metrics) {
      const [used, requested] = [
        sum(metrics),
        sum(metrics.keys().map((name) => [name, requests.get(name)!])),
      ];
      return Math.floor((used * 100) / requested) / targetPercent;
    },
    missing: (name) => (requests.get(name)! * Math.max(100, targetPercent)) / 100,
    answer(metrics) {
      const requested = sum(metrics.keys().map((name) => [name, requests.get(name)!]));
      return {
        utilization: Math.floor((sum(metrics) * 100) / requested),
        averageValue: sum(metrics) / metrics.size,
      };
    },
  });
}

/** For a target in the metric's own unit, per pod. */
export function replicasForValue(question: Question, target: number): Answer {
  return decide(question, {
    ratioOf: (metrics) => sum(metrics) / metrics.size / target,
    missing: () => target,
    answer: (metrics) => ({ averageValue: sum(metrics) / metrics.size }),
  });
}

/** For a target in the unit of a metric that is not the pods' own. */
export function replicasForWholeValue(
  usage: number,
  target: number,
  { pods, currentReplicas }: Pick<Question, 'pods' | 'currentReplicas'>,
): number {
  const ratio = usage / target;
  if (isClose(ratio)) return currentReplicas;
  const ready = pods.filter(
    (pod) => pod.status?.phase === 'Running' && conditionOf(pod, 'Ready')?.status === 'True',
  );
  return Math.ceil(roundOff(ratio * ready.length));
}

/** The same, shared out among the pods. */
export function replicasForPerPodValue(usage: number, target: number, currentReplicas: number): Answer {
  const isKept = isClose(usage / (target * currentReplicas));
  const replicas = isKept ? currentReplicas : Math.ceil(roundOff(usage / target));
  return { replicas, averageValue: usage / currentReplicas };
}

interface Measure {
  ratioOf(metrics: ReadonlyMap<string, number>): number;
  /** What a pod without a metric is taken to use when the others use too little. */
  missing(name: string): number;
  answer(metrics: ReadonlyMap<string, number>): Omit<Answer, 'replicas'>;
}

/** https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details */
function decide(question: Question, measure: Measure): Answer {
  const { currentReplicas } = question;
  const { ready, unready, missing } = groupPods(question);
  if (ready.size === 0) {
    throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  }
  const answer = measure.answer(ready);
  const ratio = measure.ratioOf(ready);
  const mayGrow = ratio > 1;
  if ((!mayGrow || unready.length === 0) && missing.length === 0) {
    const replicas = isClose(ratio) ? currentReplicas : Math.ceil(roundOff(ratio * ready.size));
    return { replicas, ...answer };
  }
  const all = new Map(ready);
  if (ratio !== 1) for (const name of missing) all.set(name, ratio < 1 ? measure.missing(name) : 0);
  if (mayGrow) for (const name of unready) all.set(name, 0);
  const careful = measure.ratioOf(all);
  const hasTurned = (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1);
  if (isClose(careful) || hasTurned) return { replicas: currentReplicas, ...answer };
  const replicas = Math.ceil(roundOff(careful * all.size));
  const isWrongWay =
    (careful < 1 && replicas > currentReplicas) || (careful > 1 && replicas < currentReplicas);
  return { replicas: isWrongWay ? currentReplicas : replicas, ...answer };
}

/** Pods that count, pods that are starting, and pods of which nothing is known. */
function groupPods({ pods, metrics, resource, nowMs }: Question) {
  const ready = new Map<string, number>();
  const unready: string[] = [];
  const missing: string[] = [];
  for (const pod of pods) {
    const { name = '', deletionTimestamp } = pod.metadata ?? {};
    const metric = metrics.get(name);
    if (deletionTimestamp || pod.status?.phase === 'Failed') continue;
    if (pod.status?.phase === 'Pending') unready.push(name);
    else if (!metric) missing.push(name);
    else if (resource === 'cpu' && isStarting(pod, metric, nowMs)) unready.push(name);
    else ready.set(name, metric.value);
  }
  return { ready, unready, missing };
}

function isStarting(pod: Pod, metric: PodMetric, nowMs: number): boolean {
  const condition = conditionOf(pod, 'Ready');
  const startedMs = Date.parse(pod.status?.startTime ?? '');
  if (!condition || Number.isNaN(startedMs)) return true;
  const changedMs = Date.parse(condition.lastTransitionTime ?? '') || 0;
  const isReady = condition.status === 'True';
  if (startedMs + cpuInitializationMs > nowMs) return !isReady || metric.atMs < changedMs + metric.windowMs;
  return !isReady && startedMs + initialReadinessDelayMs > changedMs;
}

function requestsOf({ pods, resource = '', container }: Question): Map<string, number> {
  const requests = new Map<string, number>();
  for (const { metadata, spec } of pods) {
    const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
    let total = 0;
    for (const { name, resources } of [...(spec?.containers ?? []), ...sidecars]) {
      if (container !== undefined && container !== name) continue;
      const request = resources?.requests?.[resource] ?? resources?.limits?.[resource];
      if (request === undefined) {
        throw new Error(`missing request for ${resource} in container ${name} of Pod ${metadata?.name}`);
      }
      total += quantityNumber(request);
    }
    requests.set(metadata?.name ?? '', total);
  }
  return requests;
}

const isClose = (ratio: number) => Math.abs(1 - ratio) <= tolerance + 1e-9;
/** 1.1 * 10 is a little more than 11 in binary, and must not become 12. */
const roundOff = (value: number) => Math.round(value * 1e9) / 1e9;

function sum(values: Iterable<readonly [string, number]>): number {
  let total = 0;
  for (const [, value] of values) total += value;
  return total;
}
