import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Label } from '../names.ts';
import { keyedList, list, object, oneOf, required, string, type TypeOf, time } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const namespaceSpec = object('io.k8s.api.core.v1.NamespaceSpec', {
  finalizers: list(string(), { doc: 'Who must empty it before it goes.' }),
});
export type NamespaceSpec = TypeOf<typeof namespaceSpec>;

export const namespaceCondition = object('io.k8s.api.core.v1.NamespaceCondition', {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type NamespaceCondition = TypeOf<typeof namespaceCondition>;

export const namespaceStatus = object('io.k8s.api.core.v1.NamespaceStatus', {
  conditions: keyedList(['type'], namespaceCondition, { doc: 'What keeps it from going.' }),
  phase: oneOf(['Active', 'Terminating'], { doc: 'Active, or Terminating while it is emptied.' }),
});
export type NamespaceStatus = TypeOf<typeof namespaceStatus>;

const schema = kindSchema(
  'io.k8s.api.core.v1.Namespace',
  { apiVersion: 'v1', kind: 'Namespace' },
  {
    spec: namespaceSpec,
    status: namespaceStatus,
  },
  'Namespace is a scope for names.',
);

export interface Namespace extends ObjectOf<typeof schema> {}

export const namespace = defineKind<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  countsGenerations: false,
  // As in Kubernetes, nobody deletes all of them at once.
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  nameRule: dns1123Label,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    { name: 'Status', doc: 'Active, or Terminating.', value: (namespace) => namespace.status?.phase ?? '' },
    ageColumn,
  ],
  selectableFields: { 'status.phase': (namespace) => namespace.status?.phase ?? '' },
});
