import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { kinds } from '../kinds/index.ts';
import { toTable } from '../table.ts';

const published: Record<string, [string, string, string, number][]> = JSON.parse(
  readFileSync(new URL('columns.json', import.meta.url), 'utf8'),
);

/** Kubernetes' internal packages are named otherwise than its groups. */
const packageOf: Record<string, string> = {
  '': 'api',
  'node.k8s.io': 'nodeapi',
  'events.k8s.io': 'api',
};

/** Kinds whose columns Kubernetes does not print with the printers of kube-apiserver. */
const elsewhere: Record<string, string> = {
  APIService: 'kube-aggregator prints it itself',
  InferenceService: 'a kind of KServe',
  ServingRuntime: 'a kind of KServe',
  ClusterServingRuntime: 'a kind of KServe',
  TrainingJob: 'a kind of our own',
  CustomResourceDefinition: 'apiextensions-apiserver prints it itself',
  Binding: 'never printed',
  CSIStorageCapacity: 'printed as what has no printer',
  LimitRange: 'printed as what has no printer: name and creation time',
  ClusterRole: 'printed as what has no printer',
  Role: 'printed as what has no printer',
};

for (const kind of kinds) {
  const from = packageOf[kind.group] ?? kind.group.split('.')[0];
  const name = `${from}.${kind.kind}`;
  test(`${kind.group}/${kind.version} ${kind.kind} has the columns that Kubernetes prints`, () => {
    const wanted = published[name];
    if (!wanted || kind.kind === 'CSIStorageCapacity') {
      assert.ok(kind.kind in elsewhere, `no columns are published of ${name}`);
      return;
    }
    const { columnDefinitions } = toTable(kind, [], { nowMs: 0 });
    assert.deepEqual(
      columnDefinitions.map((column) => [column.name, column.type, column.format, column.priority]),
      wanted,
    );
  });
}
