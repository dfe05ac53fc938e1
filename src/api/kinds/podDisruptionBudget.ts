import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { condition, labelSelector } from '../parts/meta.ts';
import { checkShare } from '../parts/workload.ts';
import {
  integer,
  intOrString,
  keyedList,
  map,
  object,
  oneOf,
  refine,
  required,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const podDisruptionBudgetSpec = object(
  'io.k8s.api.policy.v1.PodDisruptionBudgetSpec',
  {
    maxUnavailable: intOrString({ doc: 'How many pods may be missing, or a percentage.', check: checkShare }),
    minAvailable: intOrString({ doc: 'How many pods must stay, or a percentage.', check: checkShare }),
    selector: refine(labelSelector, {
      replaces: true,
      doc: 'Which pods it protects; an empty selector all of the namespace.',
    }),
    unhealthyPodEvictionPolicy: oneOf(['IfHealthyBudget', 'AlwaysAllow'], {
      doc: 'Whether pods that are not ready may always be evicted.',
    }),
  },
  {
    check({ minAvailable, maxUnavailable }, at, report) {
      if (minAvailable === undefined || maxUnavailable === undefined) return;
      report.invalid(
        at,
        { minAvailable, maxUnavailable },
        'minAvailable and maxUnavailable cannot be both set',
      );
    },
  },
);
export type PodDisruptionBudgetSpec = TypeOf<typeof podDisruptionBudgetSpec>;

export const podDisruptionBudgetStatus = object('io.k8s.api.policy.v1.PodDisruptionBudgetStatus', {
  conditions: keyedList(['type'], condition, { doc: 'DisruptionAllowed.' }),
  currentHealthy: required(integer({ doc: 'Pods that are ready.', default: 0 })),
  desiredHealthy: required(integer({ doc: 'Pods that must be ready.', default: 0 })),
  disruptedPods: map(time(), { doc: 'Pods whose eviction was granted and has not been seen yet.' }),
  disruptionsAllowed: required(integer({ doc: 'How many more pods may be evicted now.', default: 0 })),
  expectedPods: required(integer({ doc: 'Pods that it protects.', default: 0 })),
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
});
export type PodDisruptionBudgetStatus = TypeOf<typeof podDisruptionBudgetStatus>;

const schema = kindSchema(
  'io.k8s.api.policy.v1.PodDisruptionBudget',
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
  { spec: podDisruptionBudgetSpec, status: podDisruptionBudgetStatus },
  'PodDisruptionBudget limits how many pods may be evicted at a time.',
);

export interface PodDisruptionBudget extends ObjectOf<typeof schema> {}

export const podDisruptionBudget = defineKind<PodDisruptionBudget>({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  namespaced: true,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    {
      name: 'Min Available',
      doc: 'Pods that must stay.',
      value: ({ spec }) => String(spec?.minAvailable ?? 'N/A'),
    },
    {
      name: 'Max Unavailable',
      doc: 'Pods that may be missing.',
      value: ({ spec }) => String(spec?.maxUnavailable ?? 'N/A'),
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      doc: 'Pods that may be evicted now.',
      value: ({ status }) => status?.disruptionsAllowed ?? 0,
    },
    ageColumn,
  ],
});
