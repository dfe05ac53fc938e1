import { follows } from '../checks.ts';
import { immutable } from '../immutable.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { dns1123Label } from '../names.ts';
import { toleration } from '../parts/affinity.ts';
import { type Check, list, map, object, quantity, required, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';
import { validateLabels } from '../validate-metadata.ts';

export const overhead = object('io.k8s.api.node.v1.Overhead', {
  podFixed: map(quantity(), { doc: 'What a pod takes beside its containers.' }),
});

export const scheduling = object('io.k8s.api.node.v1.Scheduling', {
  nodeSelector: map(string(), {
    doc: 'Labels of the nodes that have it.',
    listType: 'atomic',
    check: validateLabels,
  }),
  tolerations: list(toleration, { doc: 'Taints that its pods bear.', check: checkDistinct }),
});

const schema = kindSchema(
  'io.k8s.api.node.v1.RuntimeClass',
  { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass' },
  {
    handler: required(
      string({
        doc: "What the node calls it; never changes. Here, 'isolate'.",
        default: '',
        mayBeEmpty: true,
        check: follows(dns1123Label),
        checkUpdate: immutable,
      }),
    ),
    overhead,
    scheduling,
  },
  'RuntimeClass names a way to run the containers of pods.',
);

export interface RuntimeClass extends ObjectOf<typeof schema> {}

export const runtimeClass = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  schema,
  columns: [
    nameColumn,
    { name: 'Handler', doc: 'What the node calls it.', value: ({ handler }) => handler ?? '' },
    ageColumn,
  ],
});

function checkDistinct(
  ...[tolerations, at, report]: Parameters<
    Check<{ key?: string; operator?: string; value?: string; effect?: string }[]>
  >
): void {
  const seen = new Set<string>();
  for (const [index, each] of tolerations.entries()) {
    const { key = '', operator = '', value = '', effect = '' } = each;
    const text = JSON.stringify([key, operator, value, effect]);
    if (seen.has(text)) report.duplicate(at.index(index), each);
    seen.add(text);
  }
}
