import { horizontalPodAutoscalerColumns } from '../columns/horizontal-pod-autoscaler.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import {
  crossVersionObjectReference,
  type MetricSpec,
  metricSpec,
  metricStatus,
} from '../parts/metricSpec.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  integer,
  keyedList,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';

const name = (text: string) => `io.k8s.api.autoscaling.v2.${text}`;
/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/ */
const stabilizationSecondsMax = 3600;
const periodSecondsMax = 1800;

export const scalingPolicy = object(
  name('HPAScalingPolicy'),
  {
    periodSeconds: required(integer({ doc: 'Within so many seconds, at most 1800.' })),
    type: required(oneOf(['Pods', 'Percent'], { doc: 'What value counts.' })),
    value: required(integer({ doc: 'How many pods, or percent of them, may come or go.' })),
  },
  {
    check({ value, periodSeconds }, at, report) {
      if (value <= 0) report.invalid(at.child('value'), value, 'must be greater than zero');
      const periodAt = at.child('periodSeconds');
      if (periodSeconds <= 0) report.invalid(periodAt, periodSeconds, 'must be greater than zero');
      if (periodSeconds > periodSecondsMax) {
        report.invalid(periodAt, periodSeconds, `must be less than or equal to ${periodSecondsMax}`);
      }
    },
  },
);
export type ScalingPolicy = TypeOf<typeof scalingPolicy>;

export const scalingRules = object(
  name('HPAScalingRules'),
  {
    policies: list(scalingPolicy, { doc: 'How fast it may go.' }),
    selectPolicy: oneOf(['Max', 'Min', 'Disabled'], { doc: 'Which of the policies counts.' }),
    stabilizationWindowSeconds: integer({ doc: 'How long back the most cautious number is sought.', min: 0 }),
  },
  {
    check({ policies = [], stabilizationWindowSeconds: seconds = 0 }, at, report) {
      if (seconds > stabilizationSecondsMax) {
        const why = `must be less than or equal to ${stabilizationSecondsMax}`;
        report.invalid(at.child('stabilizationWindowSeconds'), seconds, why);
      }
      if (policies.length === 0) report.required(at.child('policies'), 'must specify at least one Policy');
    },
  },
);
export type ScalingRules = TypeOf<typeof scalingRules>;

export const scalingBehavior = object(
  name('HorizontalPodAutoscalerBehavior'),
  {
    scaleDown: refine(scalingRules, { doc: 'How it shrinks.' }),
    scaleUp: refine(scalingRules, { doc: 'How it grows.' }),
  },
  { complete: completeBehavior },
);
export type ScalingBehavior = TypeOf<typeof scalingBehavior>;

const fields = object(name('HorizontalPodAutoscalerSpec'), {
  behavior: refine(scalingBehavior, { doc: 'How fast it grows and shrinks.' }),
  maxReplicas: required(integer({ doc: 'No more pods than this.', mayBeEmpty: true, min: 1 })),
  metrics: list(metricSpec, {
    doc: 'What decides; of several the largest number counts.',
    default: () => [defaultMetric()],
  }),
  minReplicas: integer({ doc: 'No fewer pods than this.', default: 1 }),
  scaleTargetRef: required(refine(crossVersionObjectReference, { doc: 'What is scaled.' })),
});
export type HorizontalPodAutoscalerSpec = TypeOf<typeof fields>;

export const horizontalPodAutoscalerSpec = refine(fields, { check: checkSpec });

export const horizontalPodAutoscalerCondition = object(name('HorizontalPodAutoscalerCondition'), {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type HorizontalPodAutoscalerCondition = TypeOf<typeof horizontalPodAutoscalerCondition>;

export const horizontalPodAutoscalerStatus = object(name('HorizontalPodAutoscalerStatus'), {
  conditions: keyedList(['type'], horizontalPodAutoscalerCondition, { doc: 'Conditions.' }),
  currentMetrics: list(metricStatus, { doc: 'What the metrics say.' }),
  currentReplicas: integer({ doc: 'How many pods there are.' }),
  desiredReplicas: required(integer({ doc: 'How many there should be.' })),
  lastScaleTime: time({ doc: 'When the number was changed last.' }),
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
});
export type HorizontalPodAutoscalerStatus = TypeOf<typeof horizontalPodAutoscalerStatus>;

const schema = kindSchema(
  name('HorizontalPodAutoscaler'),
  { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
  { spec: refine(horizontalPodAutoscalerSpec, { default: {} }), status: horizontalPodAutoscalerStatus },
  'HorizontalPodAutoscaler changes the number of pods with what they have to do.',
);

export interface HorizontalPodAutoscaler extends ObjectOf<typeof schema> {}

export const horizontalPodAutoscaler = defineKind<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  namespaced: true,
  countsGenerations: false,
  schema,
  subresources: { status: true },
  columns: horizontalPodAutoscalerColumns,
});

function defaultMetric(): MetricSpec {
  return {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
  };
}

/** What Kubernetes fills in where a behavior is given at all. */
function completeBehavior(behavior: { scaleUp?: ScalingRules; scaleDown?: ScalingRules }): void {
  behavior.scaleUp = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    ...behavior.scaleUp,
  };
  behavior.scaleDown = {
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...behavior.scaleDown,
  };
}

function checkSpec(
  { minReplicas = 1, maxReplicas }: HorizontalPodAutoscalerSpec,
  at: Path,
  report: Report,
): void {
  if (minReplicas < 1)
    report.invalid(at.child('minReplicas'), minReplicas, 'must be greater than or equal to 1');
  if (maxReplicas < minReplicas) {
    const why = 'must be greater than or equal to `minReplicas`';
    report.invalid(at.child('maxReplicas'), maxReplicas, why);
  }
}
