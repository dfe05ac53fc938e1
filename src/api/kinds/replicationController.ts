import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { matchesLabels, requirementsOf } from '../label-selector.ts';
import { podTemplateSpec } from '../parts/podSpec.ts';
import { checkWorkload, replicaScale } from '../parts/workload.ts';
import {
  integer,
  keyedList,
  map,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const replicationControllerSpec = object(
  'io.k8s.api.core.v1.ReplicationControllerSpec',
  {
    minReadySeconds: integer({ doc: 'How long a pod must be ready to count as available.', min: 0 }),
    replicas: integer({ doc: 'How many pods are wanted.', default: 1, min: 0 }),
    selector: map(string(), {
      doc: "Labels of the pods that belong to it; the template's if absent.",
      listType: 'atomic',
    }),
    template: refine(podTemplateSpec, { doc: 'What new pods look like.' }),
  },
  {
    complete(spec) {
      const labels = spec.template?.metadata?.labels;
      if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    },
    check({ selector = {}, template }, at, report) {
      if (Object.keys(selector).length === 0) report.required(at.child('selector'));
      if (template === undefined) {
        report.required(at.child('template'));
        return;
      }
      const labels = template.metadata?.labels;
      if (!matchesLabels(requirementsOf({ matchLabels: selector }), labels)) {
        const labelsAt = at.child('template').child('metadata').child('labels');
        report.invalid(labelsAt, labels ?? {}, '`selector` does not match template `labels`');
      }
      checkWorkload('replicationcontroller', { template }, at, report);
    },
  },
);
export type ReplicationControllerSpec = TypeOf<typeof replicationControllerSpec>;

export const replicationControllerCondition = object('io.k8s.api.core.v1.ReplicationControllerCondition', {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});

export const replicationControllerStatus = object('io.k8s.api.core.v1.ReplicationControllerStatus', {
  availableReplicas: integer({ doc: 'Pods that were ready for long enough.' }),
  conditions: keyedList(['type'], replicationControllerCondition, { doc: 'ReplicaFailure.' }),
  fullyLabeledReplicas: integer({ doc: 'Pods with all labels of the template.' }),
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
  readyReplicas: integer({ doc: 'Pods that are ready.' }),
  replicas: required(integer({ doc: 'Pods there are.', default: 0 })),
});

const schema = kindSchema(
  'io.k8s.api.core.v1.ReplicationController',
  { apiVersion: 'v1', kind: 'ReplicationController' },
  { spec: refine(replicationControllerSpec, { default: {} }), status: replicationControllerStatus },
  {
    doc: 'ReplicationController keeps a number of pods of one template running; a ReplicaSet is its successor.',
    complete: takeLabels,
  },
);

export interface ReplicationController extends ObjectOf<typeof schema> {}

export const replicationController = defineKind<ReplicationController>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true, scale: replicaScale },
  columns: [
    nameColumn,
    { name: 'Desired', type: 'integer', doc: 'Pods wanted.', value: ({ spec }) => spec?.replicas ?? 0 },
    { name: 'Current', type: 'integer', doc: 'Pods there.', value: ({ status }) => status?.replicas ?? 0 },
    { name: 'Ready', type: 'integer', doc: 'Pods ready.', value: ({ status }) => status?.readyReplicas ?? 0 },
    ageColumn,
    {
      name: 'Containers',
      priority: 1,
      doc: "The template's containers.",
      value: (each) => join(each, 'name'),
    },
    { name: 'Images', priority: 1, doc: "The template's images.", value: (each) => join(each, 'image') },
    { name: 'Selector', priority: 1, doc: 'The labels of the pods that belong to it.', value: selectorText },
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
});

/** Without labels it has those of its template. */
function takeLabels(object: Record<string, unknown>): void {
  // The schema has given the fields these types.
  const { metadata, spec } = object as ReplicationController;
  const labels = spec?.template?.metadata?.labels;
  if (labels && Object.keys(metadata?.labels ?? {}).length === 0) {
    object.metadata = { ...metadata, labels: { ...labels } };
  }
}

function join({ spec }: ReplicationController, field: 'name' | 'image'): string {
  return (spec?.template?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',');
}

function selectorText({ spec }: ReplicationController): string {
  const labels = Object.entries(spec?.selector ?? {}).map(([key, value]) => `${key}=${value}`);
  return labels.sort().join(',') || '<none>';
}
