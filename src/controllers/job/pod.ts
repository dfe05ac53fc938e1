import { type Job, job as jobKind } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Container } from '../../api/parts/container.ts';
import { hasPodEnded } from '../../api/pod-ended.ts';
import { controllerReference } from '../owner.ts';

/** Keeps an ended pod until it is in the Job's counts. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';
export const indexFailuresAnnotation = 'batch.kubernetes.io/job-index-failure-count';

/** A pod to create: for a completion index where the Job has them, after so many failures of that index. */
export interface NewPod {
  index?: number;
  failures?: number;
}

export function podOf(job: Job, { index, failures }: NewPod): Pod {
  const { template, backoffLimitPerIndex } = job.spec!;
  const { name = '', namespace = '' } = job.metadata ?? {};
  const { labels, annotations, finalizers = [] } = template.metadata ?? {};
  const metadata: Pod['metadata'] = {
    generateName: `${name}-`,
    namespace,
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    finalizers: [...finalizers, trackingFinalizer],
    ownerReferences: [controllerReference(jobKind, job)],
  };
  if (index === undefined) return { metadata, ...(template.spec && { spec: template.spec }) };
  const spec = template.spec!;
  return {
    metadata: {
      ...metadata,
      generateName: `${name}-${index}-`,
      labels: { ...labels, [indexAnnotation]: String(index) },
      annotations: {
        ...annotations,
        [indexAnnotation]: String(index),
        ...(backoffLimitPerIndex !== undefined && { [indexFailuresAnnotation]: String(failures ?? 0) }),
      },
    },
    spec: {
      ...spec,
      hostname: `${name}-${index}`,
      containers: spec.containers.map(withIndex),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(withIndex) }),
    },
  };
}

const indexVariable = 'JOB_COMPLETION_INDEX';

function withIndex(container: Container): Container {
  const { env = [] } = container;
  if (env.some(({ name }) => name === indexVariable)) return container;
  const fieldRef = { fieldPath: `metadata.labels['${indexAnnotation}']` };
  return { ...container, env: [...env, { name: indexVariable, valueFrom: { fieldRef } }] };
}

export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata?.annotations?.[indexAnnotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

export function isTracked({ metadata }: Pod): boolean {
  return metadata?.finalizers?.includes(trackingFinalizer) ?? false;
}

/** Being deleted, and its node has not said yet that nothing of it runs any more. */
export function isTerminating(pod: Pod): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata ?? {};
  return deletionTimestamp !== undefined && deletionGracePeriodSeconds > 0 && !hasPodEnded(pod);
}

/** With the policy `TerminatingOrFailed` a pod that begins to end has failed. */
export function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (pod.status?.phase === 'Succeeded' || !pod.metadata?.deletionTimestamp) return false;
  const waits = job.spec?.podReplacementPolicy === 'Failed' || job.spec?.podFailurePolicy !== undefined;
  return !waits || !isTerminating(pod);
}

/** When the pod ended, in ms. */
export function endedMs(pod: Pod, nowMs: number): number {
  const { containerStatuses = [], conditions = [] } = pod.status ?? {};
  const times = containerStatuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  const known = times.filter((time) => !Number.isNaN(time));
  if (known.length > 0) return Math.max(...known);
  const ready = conditions.find(({ type, status }) => type === 'Ready' && status === 'False');
  const { deletionTimestamp, creationTimestamp = '' } = pod.metadata ?? {};
  return Date.parse(ready?.lastTransitionTime ?? deletionTimestamp ?? creationTimestamp) || nowMs;
}
