import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { job as jobKind } from '../../api/kinds/job.ts';
import { type Pod, pod as podKind } from '../../api/kinds/pod.ts';
import { secret as secretKind } from '../../api/kinds/secret.ts';
import { service as serviceKind } from '../../api/kinds/service.ts';
import { type TrainingJob, trainingJob as trainingJobKind } from '../../api/kinds/trainingJob.ts';
import { toTime } from '../../base/clock.ts';
import { until } from '../../base/until.ts';
import { isTokenOf } from '../../learning/federated/tokens.ts';
import { find, startTestCluster, type TestCluster } from '../test-cluster.ts';
import { nodeOfClient } from './federated.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster({ nodes: ['n1'] });
});
after(() => cluster.close());

const namespace = 'default';
const training = (name: string): TrainingJob => ({
  metadata: { name, namespace },
  spec: {
    dataset: { generated: {} },
    model: { module: { image: 'net:1' } },
    loss: { name: 'sparseCategoricalCrossentropy' },
    nodeSelector: { data: name },
    federated: { rounds: 3 },
  },
});

async function clientsOf(name: string): Promise<Pod[]> {
  const labelSelector = `learning.selvage.dev/trainingjob=${name},learning.selvage.dev/role=client`;
  return (await cluster.client.list(podKind, { namespace, labelSelector })).items;
}

const clientsOn = (name: string, nodes: string[]) =>
  until(`clients of ${name} on ${nodes.join(', ') || 'no node'}`, async () => {
    const found = (await clientsOf(name)).filter(({ metadata }) => !metadata?.deletionTimestamp);
    return String(found.map(nodeOfClient).sort()) === String(nodes) && found;
  });

const secretValue = async (name: string, field: string) =>
  Buffer.from((await find(cluster.client, secretKind, name))?.data?.[field] ?? '', 'base64').toString();

test('a federated training waits for a node with the data, and has a client on each that comes', async () => {
  await cluster.client.create(trainingJobKind, training('follows'));
  await cluster.addNode('f1', { data: 'follows' });
  await clientsOn('follows', ['f1']);
  const job = await find(cluster.client, jobKind, 'follows');
  assert.equal(job?.spec?.template.spec?.containers[0]?.image, 'selvage.dev/builtin/federated-coordinator');
  assert.ok(await find(cluster.client, serviceKind, 'follows-coordinator'));
  await cluster.addNode('f2', { data: 'follows' });
  await clientsOn('follows', ['f1', 'f2']);
  // The coordinator can tell each client's token from its key alone.
  const key = await secretValue('follows-federated', 'key');
  assert.equal(key.length, 64);
  for (const node of ['f1', 'f2']) {
    assert.ok(isTokenOf(await secretValue(`follows-client-${node}`, 'token'), key, node));
  }
});

test('a suspended training has no clients, and one that goes on has them again', async () => {
  const at = { namespace, name: 'rests' };
  const suspend = (value: boolean) =>
    cluster.client.patch(trainingJobKind, at, { type: 'merge', body: { spec: { suspend: value } } });
  await cluster.addNode('r1', { data: 'rests' });
  await cluster.client.create(trainingJobKind, training('rests'));
  await clientsOn('rests', ['r1']);
  await suspend(true);
  await clientsOn('rests', []);
  await suspend(false);
  await clientsOn('rests', ['r1']);
});

test('a client pod that was evicted is replaced after a while', async () => {
  await cluster.addNode('e1', { data: 'evicted' });
  await cluster.client.create(trainingJobKind, training('evicted'));
  const [first] = await clientsOn('evicted', ['e1']);
  const { name = '', uid } = first!.metadata!;
  const running = await until('it runs', async () => {
    const found = await find(cluster.client, podKind, name);
    return found?.status?.phase === 'Running' && found;
  });
  const { name: container, image = '' } = running.spec!.containers[0]!;
  const terminated = { exitCode: 137, finishedAt: toTime(Date.now() - 60_000) };
  const status = {
    phase: 'Failed' as const,
    containerStatuses: [
      { name: container, image, imageID: image, ready: false, restartCount: 0, state: { terminated } },
    ],
  };
  const patch = { type: 'merge', body: { status } } as const;
  await cluster.client.patch(podKind, { namespace, name }, patch, { subresource: 'status' });
  await until('another pod', async () => {
    const found = await find(cluster.client, podKind, name);
    return found && found.metadata?.uid !== uid;
  });
});

test('clients of a failed training are ended', async () => {
  await cluster.addNode('x1', { data: 'fails' });
  await cluster.client.create(trainingJobKind, training('fails'));
  await clientsOn('fails', ['x1']);
  const conditions = [
    { type: 'Failed', status: 'True', reason: 'Test', lastTransitionTime: toTime(Date.now()) },
  ];
  const patch = { type: 'merge', body: { status: { conditions } } } as const;
  const at = { namespace, name: 'fails' };
  await cluster.client.patch(trainingJobKind, at, patch, { subresource: 'status' });
  await clientsOn('fails', []);
});
