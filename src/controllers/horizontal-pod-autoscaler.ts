import { isEqualSemantically } from '../api/equal.ts';
import type { KindDefinition } from '../api/kind.ts';
import { customResourceDefinition } from '../api/kinds/customResourceDefinition.ts';
import {
  horizontalPodAutoscaler as autoscalerKind,
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerStatus,
} from '../api/kinds/horizontalPodAutoscaler.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { labelSelector } from '../api/label-selector.ts';
import { toTime } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { type History, historyMax, historyMs } from './horizontal-pod-autoscaler/behavior.ts';
import { type Decision, fromMetrics, type Said, withoutMetrics } from './horizontal-pod-autoscaler/decide.ts';
import { type MetricsSource, resourceMetrics } from './horizontal-pod-autoscaler/metrics.ts';
import { propose } from './horizontal-pod-autoscaler/proposals.ts';
import { type Scale, targetKind } from './horizontal-pod-autoscaler/target.ts';
import { withCondition, writeStatus } from './write-status.ts';

/** kube-controller-manager's default of --horizontal-pod-autoscaler-sync-period. */
const syncSecondsDefault = 15;

export interface PodAutoscalingOptions {
  /** How often each autoscaler is looked at. */
  podAutoscalingSeconds?: number | undefined;
}

/** One look at an autoscaler: what it wants, what was found out, what is told. */
interface Look {
  autoscaler: HorizontalPodAutoscaler;
  history: History;
  nowMs: number;
  said: Said[];
}

/** Changes how many replicas there are with what their pods use. */
export function run(
  context: Context,
  kinds: readonly KindDefinition[],
  {
    metrics = resourceMetrics(context.client),
    podAutoscalingSeconds = syncSecondsDefault,
  }: PodAutoscalingOptions & { metrics?: MetricsSource } = {},
): Running {
  const { client, clock, informers } = context;
  const [autoscalers, pods] = [informers.of(autoscalerKind), informers.of(podKind)];
  const definitions = informers.of(customResourceDefinition);
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
    const nowMs = clock.nowMs();
    forget(history, nowMs);
    await follow({ autoscaler, history, nowMs, said: [] });
    return 1_000 * podAutoscalingSeconds;
  }

  async function follow(look: Look): Promise<void> {
    const { autoscaler, history, nowMs } = look;
    const scale = await readScale(look);
    if (!scale) return;
    const current = scale.spec?.replicas ?? 0;
    // After a restart nothing is known of what was recommended before, so what there is now holds.
    if (history.recommendations.length === 0) {
      history.recommendations.push({ replicas: current, atMs: nowMs });
    }
    const decision = withoutMetrics(autoscaler.spec!, current) ?? (await measure(look, scale, current));
    look.said.push(...decision.conditions);
    for (const { reason, message } of decision.warnings) tell(autoscaler, 'Warning', reason, message);
    await (decision.replicas === current ? stay(look, decision) : rescale(look, current, decision));
  }

  async function readScale(look: Look): Promise<Scale | undefined> {
    const { autoscaler, said } = look;
    const { scaleTargetRef } = autoscaler.spec!;
    try {
      const kind = targetKind(scaleTargetRef, { kinds, definitions: definitions.list() });
      const scale = await client.get(kind, addressOf(autoscaler), { subresource: 'scale' });
      const message = "the HPA controller was able to get the target's current scale";
      said.push({ type: 'AbleToScale', status: 'True', reason: 'SucceededGetScale', message });
      return scale;
    } catch (error) {
      const reason = 'FailedGetScale';
      tell(autoscaler, 'Warning', reason, messageOf(error));
      const message = `the HPA controller was unable to get the target's current scale: ${messageOf(error)}`;
      said.push({ type: 'AbleToScale', status: 'False', reason, message });
      await write(look, {});
      return undefined;
    }
  }

  async function measure(look: Look, { status }: Scale, current: number): Promise<Decision> {
    const { autoscaler, history, nowMs } = look;
    const { namespace = '' } = autoscaler.metadata ?? {};
    const selector = status?.selector ?? '';
    if (selector === '') return withoutSelector(current);
    const own = pods.byIndex('namespace', namespace).filter(labelSelector(selector));
    const statusReplicas = status?.replicas ?? current;
    const subject = { namespace, selector, pods: own, specReplicas: current, statusReplicas, nowMs };
    const spec = autoscaler.spec!;
    const answers = await Promise.all((spec.metrics ?? []).map((each) => propose(each, subject, metrics)));
    const decision = fromMetrics({ spec, current, answers, history, nowMs });
    if (isUnknown(decision.conditions))
      tell(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', decision.why);
    return decision;
  }

  function stay(look: Look, { replicas, conditions, metrics: currentMetrics }: Decision): Promise<boolean> {
    const counts = { currentReplicas: replicas, currentMetrics };
    // What was wanted when it was known last.
    return write(look, isUnknown(conditions) ? counts : { ...counts, desiredReplicas: replicas });
  }

  async function rescale(look: Look, current: number, decision: Decision): Promise<void> {
    const { autoscaler, history, nowMs, said } = look;
    const { replicas, why, metrics: currentMetrics } = decision;
    const kind = targetKind(autoscaler.spec!.scaleTargetRef, { kinds, definitions: definitions.list() });
    const patch = { type: 'merge', body: { spec: { replicas } } } as const;
    try {
      await client.patch(kind, addressOf(autoscaler), patch, { subresource: 'scale' });
    } catch (error) {
      const text = `New size: ${replicas}; reason: ${why}; error: ${messageOf(error)}`;
      tell(autoscaler, 'Warning', 'FailedRescale', text);
      const message = `the HPA controller was unable to update the target scale: ${messageOf(error)}`;
      said.push({ type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale', message });
      await write(look, { currentReplicas: current, currentMetrics });
      throw error;
    }
    tell(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${why}`);
    const message = `the HPA controller was able to update the target scale to ${replicas}`;
    said.push({ type: 'AbleToScale', status: 'True', reason: 'SucceededRescale', message });
    const change = Math.abs(replicas - current);
    (replicas > current ? history.ups : history.downs).push({ change, atMs: nowMs });
    const lastScaleTime = toTime(nowMs);
    await write(look, { currentReplicas: current, desiredReplicas: replicas, lastScaleTime, currentMetrics });
  }

  function tell(about: HorizontalPodAutoscaler, type: 'Normal' | 'Warning', reason: string, message: string) {
    events.record(subjectOf(autoscalerKind, about), type, reason, message);
  }

  function write({ autoscaler, said, nowMs }: Look, change: StatusChange): Promise<boolean> {
    const { currentMetrics, ...before } = autoscaler.status ?? { desiredReplicas: 0 };
    const { currentMetrics: measured, ...changed } = change;
    let conditions = [...(before.conditions ?? [])];
    for (const each of said) {
      conditions = withCondition(conditions, { ...each, lastTransitionTime: toTime(nowMs) });
    }
    return writeStatus(client, autoscalerKind, autoscaler, {
      ...before,
      ...changed,
      ...(measured && { currentMetrics: measured }),
      // Nothing was looked at: what was seen last still holds.
      ...(Object.keys(change).length === 0 && currentMetrics && { currentMetrics }),
      conditions,
    });
  }

  return runController(context, {
    name: 'horizontal-pod-autoscaler',
    sources: [
      source(autoscalerKind, (change) => {
        // Our own status writes call for nothing.
        const isOwn =
          change.type === 'modified' && isEqualSemantically(change.object.spec, change.previous.spec);
        return isOwn ? [] : [change.key];
      }),
      source(podKind, () => []),
      source(customResourceDefinition, () => []),
    ],
    reconcile,
  });
}

const isUnknown = (conditions: Decision['conditions']) =>
  conditions.some(
    ({ type, status, reason }) =>
      type === 'ScalingActive' && status === 'False' && reason !== 'ScalingDisabled',
  );

type StatusChange = {
  [K in keyof HorizontalPodAutoscalerStatus]?: HorizontalPodAutoscalerStatus[K] | undefined;
};

const addressOf = ({ metadata, spec }: HorizontalPodAutoscaler) => ({
  namespace: metadata?.namespace,
  name: spec!.scaleTargetRef.name,
});

function withoutSelector(replicas: number): Decision {
  const message = "the HPA target's scale is missing a selector";
  return {
    replicas,
    why: 'selector is required',
    conditions: [{ type: 'ScalingActive', status: 'False', reason: 'InvalidSelector', message }],
    warnings: [{ reason: 'SelectorRequired', message: 'selector is required' }],
  };
}

function forget(history: History, nowMs: number): void {
  const isRecent = ({ atMs }: { atMs: number }) => atMs > nowMs - historyMs;
  history.recommendations = history.recommendations.filter(isRecent).slice(-historyMax);
  history.ups = history.ups.filter(isRecent).slice(-historyMax);
  history.downs = history.downs.filter(isRecent).slice(-historyMax);
}
