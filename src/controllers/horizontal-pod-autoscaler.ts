import type { KindDefinition } from '../api/kind.ts';
import {
  horizontalPodAutoscaler as autoscalerKind,
  type HorizontalPodAutoscalerCondition as Condition,
  type HorizontalPodAutoscaler,
} from '../api/kinds/horizontalPodAutoscaler.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { MetricSpec, MetricStatus } from '../api/parts/metricSpec.ts';
import { formatQuantity, quantityNumber } from '../api/quantity.ts';
import { toTime } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { type History, historyMax, historyMs, limit } from './horizontal-pod-autoscaler/behavior.ts';
import { type MetricsSource, resourceMetrics } from './horizontal-pod-autoscaler/metrics.ts';
import { replicasForUtilization, replicasForValue } from './horizontal-pod-autoscaler/replicas.ts';
import { withCondition, writeStatus } from './write-status.ts';

/** kube-controller-manager's --horizontal-pod-autoscaler-sync-period. */
const syncMs = 15_000;

interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas?: number; selector?: string };
}

interface Proposal {
  replicas: number;
  /** What it follows from, in words. */
  metric: string;
  status: MetricStatus;
}

/** Changes how many replicas there are with what their pods use. */
export function run(
  context: Context,
  kinds: readonly KindDefinition[],
  { metrics = resourceMetrics(context.client) }: { metrics?: MetricsSource } = {},
): Running {
  const { client, clock, informers } = context;
  const [autoscalers, pods] = [informers.of(autoscalerKind), informers.of(podKind)];
  const events = context.recorder('horizontal-pod-autoscaler');
  const histories = new Map<string, History>();

  async function reconcile(key: string): Promise<number | undefined> {
    const autoscaler = autoscalers.get(key);
    if (!autoscaler) {
      histories.delete(key);
      return undefined;
    }
    const history = histories.get(key) ?? { recommendations: [], ups: [], downs: [] };
    histories.set(key, history);
    await follow(autoscaler, history);
    return syncMs;
  }

  async function follow(autoscaler: HorizontalPodAutoscaler, history: History): Promise<void> {
    const { namespace = '', generation = 0 } = autoscaler.metadata ?? {};
    const { scaleTargetRef, minReplicas: min = 1, maxReplicas: max, behavior } = autoscaler.spec!;
    const nowMs = clock.nowMs();
    forget(history, nowMs);
    let conditions = [...(autoscaler.status?.conditions ?? [])];
    const say = (type: string, status: Condition['status'], reason: string, message: string) => {
      const lastTransitionTime = toTime(nowMs);
      conditions = withCondition(conditions, { type, status, reason, message, lastTransitionTime });
    };
    const tell = (type: 'Normal' | 'Warning', reason: string, message: string) =>
      events.record(subjectOf(autoscalerKind, autoscaler), type, reason, message);
    const write = (change: Partial<NonNullable<HorizontalPodAutoscaler['status']>>) =>
      writeStatus(client, autoscalerKind, autoscaler, {
        desiredReplicas: 0,
        ...autoscaler.status,
        ...change,
        observedGeneration: generation,
        conditions,
      });

    const kind = kindOf(kinds, scaleTargetRef);
    const at = { namespace, name: scaleTargetRef.name };
    let scale: Scale;
    try {
      scale = await client.get(kind, at, { subresource: 'scale' });
    } catch (error) {
      const why = messageOf(error);
      tell('Warning', 'FailedGetScale', why);
      const message = `the HPA controller was unable to get the target's current scale: ${why}`;
      say('AbleToScale', 'False', 'FailedGetScale', message);
      await write({});
      return;
    }
    say(
      'AbleToScale',
      'True',
      'SucceededGetScale',
      "the HPA controller was able to get the target's current scale",
    );
    const current = scale.spec?.replicas ?? 0;
    const currentReplicas = scale.status?.replicas ?? current;
    if (current === 0) {
      const message = 'scaling is disabled since the replica count of the target is zero';
      say('ScalingActive', 'False', 'ScalingDisabled', message);
      await write({ currentReplicas, desiredReplicas: 0 });
      return;
    }

    let desired = current;
    let why = '';
    let currentMetrics: MetricStatus[] | undefined;
    if (current > max) [desired, why] = [max, 'Current number of replicas above Spec.MaxReplicas'];
    else if (current < min) [desired, why] = [min, 'Current number of replicas below Spec.MinReplicas'];
    else {
      const selector = scale.status?.selector ?? '';
      const found = await propose(autoscaler, { namespace, selector, current, nowMs });
      currentMetrics = found.proposals.map(({ status }) => status);
      const best = found.proposals.toSorted((a, b) => b.replicas - a.replicas)[0];
      const [failure] = found.failures;
      for (const { reason, message } of found.failures) tell('Warning', reason, message);
      // With a metric unknown, growing is safe and shrinking is not.
      if (!best || (failure && best.replicas < current)) {
        const total = autoscaler.spec?.metrics?.length ?? 0;
        const message =
          `invalid metrics (${found.failures.length} invalid out of ${total}), ` +
          `first error is: ${failure?.message}`;
        tell('Warning', 'FailedComputeMetricsReplicas', message);
        const said = `the HPA was unable to compute the replica count: ${failure?.message}`;
        say('ScalingActive', 'False', failure?.reason ?? 'InvalidMetricSourceType', said);
        await write({ currentReplicas, desiredReplicas: current, currentMetrics });
        return;
      }
      const said = `the HPA was able to successfully calculate a replica count from ${best.metric}`;
      say('ScalingActive', 'True', 'ValidMetricFound', said);
      const limits = limit({ current, desired: best.replicas, min, max, behavior, history, nowMs });
      history.recommendations.push({ replicas: best.replicas, atMs: nowMs });
      const { stabilized, limited } = limits;
      if (stabilized) say('AbleToScale', 'True', stabilized.reason, stabilized.message);
      else say('AbleToScale', 'True', 'ReadyForNewScale', 'recommended size matches current size');
      if (limited) say('ScalingLimited', 'True', limited.reason, limited.message);
      else {
        const within = 'the desired count is within the acceptable range';
        say('ScalingLimited', 'False', 'DesiredWithinRange', within);
      }
      desired = limits.replicas;
      why = desired > current ? `${best.metric} above target` : 'All metrics below target';
    }
    if (desired === current) {
      await write({ currentReplicas, desiredReplicas: desired, ...(currentMetrics && { currentMetrics }) });
      return;
    }
    const patch = { type: 'merge', body: { spec: { replicas: desired } } } as const;
    try {
      await client.patch(kind, at, patch, { subresource: 'scale' });
    } catch (error) {
      tell('Warning', 'FailedRescale', `New size: ${desired}; reason: ${why}; error: ${messageOf(error)}`);
      const message = `the HPA controller was unable to update the target scale: ${messageOf(error)}`;
      say('AbleToScale', 'False', 'FailedUpdateScale', message);
      await write({ currentReplicas, desiredReplicas: current });
      throw error;
    }
    tell('Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${why}`);
    say(
      'AbleToScale',
      'True',
      'SucceededRescale',
      `the HPA controller was able to update the target scale to ${desired}`,
    );
    const change = Math.abs(desired - current);
    (desired > current ? history.ups : history.downs).push({ change, atMs: nowMs });
    await write({
      currentReplicas,
      desiredReplicas: desired,
      lastScaleTime: toTime(nowMs),
      ...(currentMetrics && { currentMetrics }),
    });
  }

  /** What each metric asks for, and which can't be told. */
  async function propose(
    { spec }: HorizontalPodAutoscaler,
    at: { namespace: string; selector: string; current: number; nowMs: number },
  ) {
    const proposals: Proposal[] = [];
    const failures: { reason: string; message: string }[] = [];
    for (const metric of spec?.metrics ?? []) {
      try {
        proposals.push(await proposalOf(metric, at));
      } catch (error) {
        const what = metric.resource?.name ?? metric.containerResource?.name ?? metric.type;
        const message = `failed to get ${what} ${failureWords[metric.type]}: ${messageOf(error)}`;
        failures.push({ reason: `FailedGet${reasonOf[metric.type]}Metric`, message });
      }
    }
    return { proposals, failures };
  }

  async function proposalOf(
    metric: MetricSpec,
    at: { namespace: string; selector: string; current: number; nowMs: number },
  ): Promise<Proposal> {
    const asked = metric.containerResource ?? metric.resource;
    if (!asked) {
      const group = metric.type === 'External' ? 'external' : 'custom';
      throw new Error(`unable to fetch metrics: no ${group}.metrics.k8s.io API is served`);
    }
    const { name, target } = asked;
    const container = metric.containerResource?.container;
    const { namespace, selector, current, nowMs } = at;
    const measured = await metrics.resource({ namespace, selector, resource: name, container });
    const own = pods.byIndex('namespace', namespace).filter(labelSelector(selector));
    const question = {
      pods: own,
      metrics: measured,
      currentReplicas: current,
      resource: name,
      ...(container !== undefined && { container }),
      nowMs,
    };
    const isValue = target.averageValue !== undefined;
    const answer = isValue
      ? replicasForValue(question, quantityNumber(target.averageValue!))
      : replicasForUtilization(question, target.averageUtilization!);
    const { utilization, averageValue } = answer;
    const nanos = BigInt(Math.round(averageValue * 1000)) * 1_000_000n;
    const currentValue = {
      averageValue: formatQuantity({ nanos, format: 'decimal' }),
      ...(utilization !== undefined && { averageUtilization: utilization }),
    };
    const kind = isValue ? '' : ' utilization (percentage of request)';
    const words = container === undefined ? `${name} resource${kind}` : `${name} container resource${kind}`;
    const status: MetricStatus =
      container === undefined
        ? { type: 'Resource', resource: { name, current: currentValue } }
        : { type: 'ContainerResource', containerResource: { name, container, current: currentValue } };
    return { replicas: answer.replicas, metric: words, status };
  }

  return runController(context, {
    name: 'horizontal-pod-autoscaler',
    sources: [
      source(autoscalerKind, ({ type, key, object, ...change }) => {
        const before = 'previous' in change ? change.previous?.metadata?.generation : undefined;
        // Our own status writes call for nothing.
        return type === 'modified' && before === object.metadata?.generation ? [] : [key];
      }),
      source(podKind, () => []),
    ],
    reconcile,
  });
}

const reasonOf: Record<MetricSpec['type'], string> = {
  Resource: 'Resource',
  ContainerResource: 'ContainerResource',
  Pods: 'Pods',
  Object: 'Object',
  External: 'External',
};
const failureWords: Record<MetricSpec['type'], string> = {
  Resource: 'resource metric value',
  ContainerResource: 'container metric value',
  Pods: 'metric value',
  Object: 'metric value',
  External: 'metric value',
};

/** The target's kind; one that this server learned later is addressed by the usual plural. */
function kindOf(
  kinds: readonly KindDefinition[],
  { apiVersion = '', kind }: { apiVersion?: string; kind: string },
): KindAddress<Scale> {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const known = kinds.find((each) => each.kind === kind && each.group === group);
  if (known) {
    const { plural, namespaced } = known;
    return { group, version: version || known.version, kind, plural, namespaced };
  }
  const plural = kind
    .toLowerCase()
    .replace(/y$/, 'ie')
    .replace(/(s|x|ch|sh)$/, '$1e');
  return { group, version, kind, plural: `${plural}s`, namespaced: true };
}

function forget(history: History, nowMs: number): void {
  const isRecent = ({ atMs }: { atMs: number }) => atMs > nowMs - historyMs;
  history.recommendations = history.recommendations.filter(isRecent).slice(-historyMax);
  history.ups = history.ups.filter(isRecent).slice(-historyMax);
  history.downs = history.downs.filter(isRecent).slice(-historyMax);
}
