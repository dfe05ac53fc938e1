import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { keyedList, object, required, string } from '../schema.ts';
import { nameColumn } from '../table.ts';

export const componentCondition = object('io.k8s.api.core.v1.ComponentCondition', {
  error: string({ doc: 'What is wrong, in one word.' }),
  message: string({ doc: 'What is known, for people.' }),
  status: required(string({ doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'Healthy.' })),
});

const schema = kindSchema(
  'io.k8s.api.core.v1.ComponentStatus',
  { apiVersion: 'v1', kind: 'ComponentStatus' },
  { conditions: keyedList(['type'], componentCondition, { doc: 'What was found.' }) },
  'ComponentStatus says how a part of the control plane is. Deprecated: ask /livez and /readyz.',
);

export interface ComponentStatus extends ObjectOf<typeof schema> {}

/** Made when it is read; nothing is stored. */
export const componentStatus = defineKind<ComponentStatus>({
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  shortNames: ['cs'],
  namespaced: false,
  verbs: ['get', 'list'],
  schema,
  columns: [
    nameColumn,
    { name: 'Status', doc: 'Healthy, Unhealthy or Unknown.', value: statusText },
    { name: 'Message', doc: 'What is known.', value: (status) => healthOf(status)?.message ?? '' },
    { name: 'Error', doc: 'What is wrong.', value: (status) => healthOf(status)?.error ?? '' },
  ],
});

const healthOf = ({ conditions }: ComponentStatus) => conditions?.find(({ type }) => type === 'Healthy');

function statusText(status: ComponentStatus): string {
  const health = healthOf(status);
  if (!health) return 'Unknown';
  return health.status === 'True' ? 'Healthy' : 'Unhealthy';
}
