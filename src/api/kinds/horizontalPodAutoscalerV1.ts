import { capitalized, fromOldMetric, toOldMetric, uncapitalized } from '../autoscaling/v1-metrics.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { crossVersionObjectReference as referenceOfV2 } from '../parts/metricSpec.ts';
import { integer, object, refine, required, time } from '../schema.ts';
import {
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerSpec,
  type HorizontalPodAutoscalerStatus,
  horizontalPodAutoscaler,
} from './horizontalPodAutoscaler.ts';

const name = <N extends string>(type: N) => `io.k8s.api.autoscaling.v1.${type}` as const;

const crossVersionObjectReference = object(name('CrossVersionObjectReference'), referenceOfV2.fields, {
  listType: 'atomic',
  doc: 'An object in the same namespace.',
});

const schema = kindSchema(
  name('HorizontalPodAutoscaler'),
  { apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler' },
  {
    spec: refine(
      object(name('HorizontalPodAutoscalerSpec'), {
        maxReplicas: required(integer({ doc: 'How many pods there may be.', min: 1 })),
        minReplicas: integer({ doc: 'How many there must be.', default: 1 }),
        scaleTargetRef: required(refine(crossVersionObjectReference, { doc: 'What is scaled.' })),
        targetCPUUtilizationPercentage: integer({
          doc: 'How much of the CPU that they request pods should use on average, in percent.',
          min: 1,
        }),
      }),
      { default: {} },
    ),
    status: object(name('HorizontalPodAutoscalerStatus'), {
      currentCPUUtilizationPercentage: integer({ doc: 'How much they use now, in percent.' }),
      currentReplicas: required(integer({ doc: 'How many pods there are.' })),
      desiredReplicas: required(integer({ doc: 'How many there should be.' })),
      lastScaleTime: time({ doc: 'When the number was changed last.' }),
      observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
    }),
  },
  'HorizontalPodAutoscaler changes the number of pods with the CPU that they use.',
);

export interface HorizontalPodAutoscalerV1 extends ObjectOf<typeof schema> {}

/** The first version, which knows the CPU only; everything else of the second it keeps in annotations. */
export const horizontalPodAutoscalerV1 = defineKind<HorizontalPodAutoscalerV1>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
  countsGenerations: false,
  schema,
  storedAs: { kind: horizontalPodAutoscaler, toStored, fromStored },
  check(object, report, root) {
    horizontalPodAutoscaler.check?.(toStored(object), report, root);
    const { minReplicas = 1, maxReplicas } = object.spec ?? {};
    const at = root.child('spec');
    if (minReplicas < 1)
      report.invalid(at.child('minReplicas'), minReplicas, 'must be greater than or equal to 1');
    if (maxReplicas !== undefined && maxReplicas < minReplicas) {
      report.invalid(at.child('maxReplicas'), maxReplicas, 'must be greater than or equal to `minReplicas`');
    }
  },
});

const annotation = {
  metrics: 'autoscaling.alpha.kubernetes.io/metrics',
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
} as const;

type Metric = NonNullable<HorizontalPodAutoscalerSpec['metrics']>[number];
type MetricStatus = NonNullable<HorizontalPodAutoscalerStatus['currentMetrics']>[number];
type Metadata = HorizontalPodAutoscaler['metadata'];

const defaultUtilization = 80;
const cpuMetric = (averageUtilization: number): Metric => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});
const utilizationOf = ({ type, resource }: Metric) =>
  type === 'Resource' && resource?.name === 'cpu' ? resource.target.averageUtilization : undefined;

function toStored(served: HorizontalPodAutoscalerV1): HorizontalPodAutoscaler {
  const { apiVersion: _, metadata, spec, status, ...rest } = served;
  const kept = metadata?.annotations ?? {};
  const { targetCPUUtilizationPercentage: cpu, ...sameSpec } = spec ?? {};
  const others = (read(kept[annotation.metrics]) ?? []) as Record<string, unknown>[];
  const metrics = others.map((metric) => fromOldMetric(metric, 'target') as unknown as Metric);
  if (cpu !== undefined) metrics.push(cpuMetric(cpu));
  if (metrics.length === 0) metrics.push(cpuMetric(defaultUtilization));
  const behavior = uncapitalized(read(kept[annotation.behavior])) as HorizontalPodAutoscalerSpec['behavior'];
  return {
    ...rest,
    apiVersion: 'autoscaling/v2',
    ...(metadata && { metadata: withAnnotations(metadata, {}) }),
    spec: { ...sameSpec, metrics, ...(behavior && { behavior }) } as HorizontalPodAutoscalerSpec,
    ...(status && { status: storedStatus(status, kept) }),
  };
}

function storedStatus(
  status: NonNullable<HorizontalPodAutoscalerV1['status']>,
  kept: Record<string, string>,
): HorizontalPodAutoscalerStatus {
  const { currentCPUUtilizationPercentage: cpu, ...same } = status;
  const known = read(kept[annotation.currentMetrics]) as Record<string, unknown>[] | undefined;
  const conditions = read(kept[annotation.conditions]) as HorizontalPodAutoscalerStatus['conditions'];
  const current = known?.map((metric) => fromOldMetric(metric, 'current') as unknown as MetricStatus);
  const ofCpu: MetricStatus[] | undefined =
    cpu === undefined
      ? undefined
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: cpu } } }];
  const currentMetrics = current ?? ofCpu;
  return { ...same, ...(currentMetrics && { currentMetrics }), ...(conditions && { conditions }) };
}

function fromStored(stored: HorizontalPodAutoscaler): HorizontalPodAutoscalerV1 {
  const { apiVersion: _, metadata, spec, status, ...rest } = stored;
  const { metrics = [], behavior, ...sameSpec } = spec ?? ({} as HorizontalPodAutoscalerSpec);
  const { currentMetrics, conditions, ...sameStatus } = status ?? ({} as HorizontalPodAutoscalerStatus);
  const cpu = metrics.map(utilizationOf).find((each) => each !== undefined);
  const others = metrics.filter((metric) => utilizationOf(metric) === undefined);
  const currentCpu = currentMetrics?.find(({ resource }) => resource?.name === 'cpu')?.resource?.current;
  const used = currentCpu?.averageUtilization;
  const added = {
    ...(others.length > 0 && {
      [annotation.metrics]: write(others.map((one) => toOldMetric({ ...one }, 'target'))),
    }),
    ...(currentMetrics?.length && {
      [annotation.currentMetrics]: write(currentMetrics.map((one) => toOldMetric({ ...one }, 'current'))),
    }),
    ...(conditions?.length && { [annotation.conditions]: write(conditions) }),
    ...(behavior && { [annotation.behavior]: write(capitalized(behavior)) }),
  };
  return {
    ...rest,
    apiVersion: 'autoscaling/v1',
    ...(metadata && { metadata: withAnnotations(metadata, added) }),
    spec: { ...sameSpec, ...(cpu !== undefined && { targetCPUUtilizationPercentage: cpu }) },
    ...(status && {
      status: { ...sameStatus, ...(used !== undefined && { currentCPUUtilizationPercentage: used }) },
    }),
  } as HorizontalPodAutoscalerV1;
}

/** The metadata with what this version says in annotations, and without what it said there before. */
function withAnnotations(
  metadata: NonNullable<Metadata>,
  added: Record<string, string>,
): NonNullable<Metadata> {
  const { annotations, ...rest } = metadata;
  const ours: string[] = Object.values(annotation);
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !ours.includes(key));
  const all = { ...Object.fromEntries(kept), ...added };
  return Object.keys(all).length > 0 ? { ...rest, annotations: all } : rest;
}

const write = (value: unknown) => JSON.stringify(value);

/** What somebody broke is passed over, as in Kubernetes. */
function read(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
