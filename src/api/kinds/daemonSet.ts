import { templateColumns } from '../columns/workload.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelector } from '../parts/meta.ts';
import { podTemplateSpec } from '../parts/podSpec.ts';
import { checkCountOrPercent, checkShare, checkWorkload } from '../parts/workload.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  integer,
  intOrString,
  keyedList,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const rollingUpdateDaemonSet = object(
  'io.k8s.api.apps.v1.RollingUpdateDaemonSet',
  {
    maxSurge: intOrString({
      doc: 'Nodes on which a new pod may start before the old one ends, or a percentage.',
      default: 0,
      check: checkShare,
    }),
    maxUnavailable: intOrString({
      doc: 'Nodes that may be without an available pod, or a percentage.',
      default: 1,
      check: checkCountOrPercent,
    }),
  },
  {
    check({ maxSurge = 0, maxUnavailable = 1 }, at, report) {
      if (isNone(maxSurge) && isNone(maxUnavailable)) {
        report.required(at.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0');
      } else if (!isNone(maxSurge) && !isNone(maxUnavailable)) {
        report.invalid(at.child('maxSurge'), maxSurge, 'may not be set when maxUnavailable is non-zero');
      }
    },
  },
);

const isNone = (value: number | string) => value === 0 || value === '0%';

export const daemonSetUpdateStrategy = object(
  'io.k8s.api.apps.v1.DaemonSetUpdateStrategy',
  {
    type: oneOf(['RollingUpdate', 'OnDelete'], {
      doc: 'Step by step, or when a pod is deleted.',
      default: 'RollingUpdate',
    }),
    rollingUpdate: refine(rollingUpdateDaemonSet, {
      doc: 'How many nodes at a time.',
      default: ({ type }) => (type === 'RollingUpdate' ? {} : undefined),
    }),
  },
  { doc: 'How pods are replaced when the template changes.' },
);

export const daemonSetSpec = object(
  'io.k8s.api.apps.v1.DaemonSetSpec',
  {
    minReadySeconds: integer({ doc: 'How long a pod must be ready to count as available.', min: 0 }),
    revisionHistoryLimit: integer({
      doc: 'How many old templates are kept for a rollback.',
      default: 10,
      min: 0,
    }),
    selector: required(refine(labelSelector, { doc: 'Which pods belong to it.', checkUpdate: immutable })),
    template: required(refine(podTemplateSpec, { default: {} })),
    updateStrategy: refine(daemonSetUpdateStrategy, { default: {} }),
  },
  { check: (spec, at: Path, report: Report) => checkWorkload('daemonset', spec, at, report) },
);
export type DaemonSetSpec = TypeOf<typeof daemonSetSpec>;

export const daemonSetCondition = object('io.k8s.api.apps.v1.DaemonSetCondition', {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});

export const daemonSetStatus = object('io.k8s.api.apps.v1.DaemonSetStatus', {
  collisionCount: integer({ doc: 'How often the name of a new revision was taken.' }),
  conditions: keyedList(['type'], daemonSetCondition, { doc: 'Conditions.' }),
  currentNumberScheduled: required(integer({ doc: 'Nodes that run a pod and should.', default: 0 })),
  desiredNumberScheduled: required(integer({ doc: 'Nodes that should run a pod.', default: 0 })),
  numberAvailable: integer({ doc: 'Nodes whose pod was ready for long enough.' }),
  numberMisscheduled: required(integer({ doc: 'Nodes that run a pod and should not.', default: 0 })),
  numberReady: required(integer({ doc: 'Nodes whose pod is ready.', default: 0 })),
  numberUnavailable: integer({ doc: 'Nodes without an available pod.' }),
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
  updatedNumberScheduled: integer({ doc: 'Nodes that run a pod of the current template.' }),
});
export type DaemonSetStatus = TypeOf<typeof daemonSetStatus>;

const schema = kindSchema(
  'io.k8s.api.apps.v1.DaemonSet',
  { apiVersion: 'apps/v1', kind: 'DaemonSet' },
  { spec: refine(daemonSetSpec, { default: {} }), status: daemonSetStatus },
  'DaemonSet keeps one pod on each node that can take it.',
);

export interface DaemonSet extends ObjectOf<typeof schema> {}

const count = (name: string, doc: string, field: keyof DaemonSetStatus) => ({
  name,
  type: 'integer' as const,
  doc,
  value: ({ status }: DaemonSet) => (status?.[field] as number | undefined) ?? 0,
});

export const daemonSet = defineKind<DaemonSet>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    count('Desired', 'Nodes that should run a pod.', 'desiredNumberScheduled'),
    count('Current', 'Nodes that do.', 'currentNumberScheduled'),
    count('Ready', 'Nodes whose pod is ready.', 'numberReady'),
    count('Up-to-date', 'Nodes whose pod is of the current template.', 'updatedNumberScheduled'),
    count('Available', 'Nodes whose pod was ready for long enough.', 'numberAvailable'),
    { name: 'Node Selector', doc: 'Labels that its nodes have.', value: nodeSelectorText },
    ageColumn,
    ...templateColumns,
  ],
});

function nodeSelectorText({ spec }: DaemonSet): string {
  const selector = Object.entries(spec?.template?.spec?.nodeSelector ?? {});
  if (selector.length === 0) return '<none>';
  return selector
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}
