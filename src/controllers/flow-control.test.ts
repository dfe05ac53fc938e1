import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { autoUpdateSpec } from '../api/flow-control-bootstrap.ts';
import { flowSchema } from '../api/kinds/flowSchema.ts';
import { priorityLevelConfiguration } from '../api/kinds/priorityLevelConfiguration.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster({ nodes: [] });
});
after(() => cluster.close());

const specOf = async (name: string) => (await find(cluster.client, flowSchema, name))?.spec;

test('mandatory and suggested objects come back when they are deleted', async () => {
  await cluster.client.delete(flowSchema, { name: 'catch-all' });
  await cluster.client.delete(priorityLevelConfiguration, { name: 'workload-low' });
  await until('the schema', () => find(cluster.client, flowSchema, 'catch-all'));
  await until('the level', () => find(cluster.client, priorityLevelConfiguration, 'workload-low'));
});

test('a suggested schema follows ours until somebody says that it is theirs', async () => {
  const patch = (body: object) =>
    cluster.client.patch(flowSchema, { name: 'probes' }, { type: 'merge', body });
  await patch({ spec: { matchingPrecedence: 77 } });
  await until('the change undone', async () => (await specOf('probes'))?.matchingPrecedence === 2);
  await patch({
    metadata: { annotations: { [autoUpdateSpec]: 'false' } },
    spec: { matchingPrecedence: 78 },
  });
  // Another one that is restored shows that the controller has been at work since.
  await cluster.client.delete(flowSchema, { name: 'global-default' });
  await until('the other schema', () => find(cluster.client, flowSchema, 'global-default'));
  assert.equal((await specOf('probes'))?.matchingPrecedence, 78);
});

test('a schema says whether its priority level is there', async () => {
  const dangling = async () => {
    const schema = await find(cluster.client, flowSchema, 'mine');
    return schema?.status?.conditions?.find(({ type }) => type === 'Dangling');
  };
  await cluster.client.create(flowSchema, {
    metadata: { name: 'mine' },
    spec: { matchingPrecedence: 500, priorityLevelConfiguration: { name: 'my-level' } },
  });
  const missing = await until('the condition', dangling);
  assert.equal(missing.status, 'True');
  assert.equal(
    missing.message,
    'This FlowSchema references the PriorityLevelConfiguration object named "my-level" but there is no such object',
  );
  await cluster.client.create(priorityLevelConfiguration, {
    metadata: { name: 'my-level' },
    spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
  });
  const found = await until('the level found', async () => {
    const condition = await dangling();
    return condition?.status === 'False' && condition;
  });
  assert.equal(found.reason, 'Found');
});
