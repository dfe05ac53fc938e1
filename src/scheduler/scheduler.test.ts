import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { event as eventKind } from '../api/kinds/event.ts';
import { namespace as namespaceKind } from '../api/kinds/namespace.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import { persistentVolumeClaim as claimKind } from '../api/kinds/persistentVolumeClaim.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { priorityClass as priorityClassKind } from '../api/kinds/priorityClass.ts';
import { serviceAccount as serviceAccountKind } from '../api/kinds/serviceAccount.ts';
import { storageClass as storageClassKind } from '../api/kinds/storageClass.ts';
import type { PodSpec } from '../api/parts/podSpec.ts';
import { startTestServer } from '../apiserver/test-server.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import { startScheduler } from './scheduler.ts';
import { node } from './testing.ts';

/** A real API server and scheduler, and nodes that nobody runs. */
async function start(t: TestContext, nodes: { name: string; cpu: string }[]): Promise<Client> {
  const api = await startTestServer({ listens: false });
  const client = createClient(api.server.transport());
  const scheduler = startScheduler({ client, clock: systemClock, log: silentLog });
  t.after(async () => {
    await scheduler.stop();
    await api.close();
  });
  for (const name of ['default']) await client.create(namespaceKind, { metadata: { name } }).catch(() => {});
  await client
    .create(serviceAccountKind, { metadata: { name: 'default', namespace: 'default' } })
    .catch(() => {});
  for (const { name, cpu } of nodes) {
    const { metadata, status } = node(name, { allocatable: { cpu } });
    await client.create(nodeKind, { metadata: metadata! });
    await client.patch(nodeKind, { name }, { type: 'merge', body: { status } }, { subresource: 'status' });
  }
  return client;
}

const podOf = (name: string, cpu: string, spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [{ name: 'main', image: 'app:1', resources: { requests: { cpu } } }], ...spec },
});
const get = (client: Client, name: string) => client.get(podKind, { namespace: 'default', name });
const nodeOf = async (client: Client, name: string) => (await get(client, name)).spec?.nodeName;
const scheduled = async (client: Client, name: string) =>
  (await get(client, name)).status?.conditions?.find(({ type }) => type === 'PodScheduled');

async function events(client: Client, reason: string): Promise<string[]> {
  const { items } = await client.list(eventKind, { namespace: 'default' });
  return items.filter((each) => each.reason === reason).map(({ message = '' }) => message);
}

test('a more important pod takes the place of another, which is asked to leave first', async (t) => {
  const client = await start(t, [{ name: 'n1', cpu: '1' }]);
  await client.create(podKind, podOf('low', '800m'));
  await until('low is placed', async () => (await nodeOf(client, 'low')) === 'n1');
  await client.create(priorityClassKind, { metadata: { name: 'important' }, value: 1000 });
  await client.create(podKind, podOf('high', '800m', { priorityClassName: 'important' }));
  const low = await until('low leaves', async () => {
    const pod = await get(client, 'low');
    return pod.metadata?.deletionTimestamp ? pod : undefined;
  });
  const target = low.status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  assert.equal(target?.reason, 'PreemptionByScheduler');
  assert.equal(target?.message, 'default-scheduler: preempting to accommodate a higher priority pod');
  const high = await until('high is nominated', async () => {
    const pod = await get(client, 'high');
    return pod.status?.nominatedNodeName === 'n1' && pod;
  });
  assert.equal(high.spec?.nodeName, undefined, 'it waits for the room');
  assert.equal((await scheduled(client, 'high'))?.message, '0/1 nodes are available: 1 Insufficient cpu.');
  await until('the event', async () => (await events(client, 'Preempted')).length === 1);
  assert.deepEqual(await events(client, 'Preempted'), [`Preempted by pod ${high.metadata?.uid} on node n1`]);
  await client.create(podKind, podOf('opportunist', '700m'));
  await client.delete(podKind, { namespace: 'default', name: 'low' }, { gracePeriodSeconds: 0 });
  await until('high is placed', async () => (await nodeOf(client, 'high')) === 'n1');
  assert.equal(await nodeOf(client, 'opportunist'), undefined);
});

test('a gated pod says so and waits until its gates are gone', async (t) => {
  const client = await start(t, [{ name: 'n1', cpu: '1' }]);
  await client.create(podKind, podOf('gated', '100m', { schedulingGates: [{ name: 'example.com/wait' }] }));
  await client.create(podKind, podOf('free', '100m'));
  await until('another is placed', async () => (await nodeOf(client, 'free')) === 'n1');
  const condition = await scheduled(client, 'gated');
  assert.equal(condition?.reason, 'SchedulingGated');
  assert.equal(condition?.message, 'Scheduling is blocked due to non-empty scheduling gates');
  assert.equal(await nodeOf(client, 'gated'), undefined);
  const body = { spec: { schedulingGates: null } };
  await client.patch(podKind, { namespace: 'default', name: 'gated' }, { type: 'merge', body });
  await until('it is placed', async () => (await nodeOf(client, 'gated')) === 'n1');
});

test('of many pods at once none is lost and no node gets more than it has', async (t) => {
  const client = await start(t, [
    { name: 'n1', cpu: '4' },
    { name: 'n2', cpu: '4' },
  ]);
  const names = Array.from({ length: 100 }, (_, index) => `p${index}`);
  await Promise.all(names.map((name) => client.create(podKind, podOf(name, '100m'))));
  const placedOn = async (name: string) => {
    const { items } = await client.list(podKind, { fieldSelector: `spec.nodeName=${name}` });
    return items.length;
  };
  await until('both are full', async () => (await placedOn('n1')) + (await placedOn('n2')) === 80);
  assert.equal(await placedOn('n1'), 40);
  const [waiting] = (await client.list(podKind, { fieldSelector: 'spec.nodeName=' })).items;
  await until('the rest says why', async () => scheduled(client, waiting!.metadata!.name!));
  assert.equal(
    (await scheduled(client, waiting!.metadata!.name!))?.message,
    '0/2 nodes are available: 2 Insufficient cpu. ' +
      'preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.',
  );
});

test('a pod that somebody else bound, or that asks for another scheduler, is let alone', async (t) => {
  const client = await start(t, [{ name: 'n1', cpu: '1' }]);
  await client.create(podKind, podOf('own', '900m', { nodeName: 'n1' }));
  await client.create(podKind, podOf('other', '100m', { schedulerName: 'mine' }));
  await client.create(podKind, podOf('small', '100m'));
  await client.create(podKind, podOf('big', '200m'));
  await until('small is placed', async () => (await nodeOf(client, 'small')) === 'n1');
  await until('big is not', async () => (await scheduled(client, 'big'))?.status === 'False');
  assert.equal(await nodeOf(client, 'other'), undefined);
  assert.equal(await scheduled(client, 'other'), undefined);
});

test('a claim that waits for its pod learns the node, and the pod is bound after it', async (t) => {
  const client = await start(t, [{ name: 'n1', cpu: '1' }]);
  await client.create(storageClassKind, {
    metadata: { name: 'late' },
    provisioner: 'example.com/maker',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  await client.create(claimKind, {
    metadata: { name: 'data', namespace: 'default' },
    spec: {
      storageClassName: 'late',
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
    },
  });
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
  await client.create(podKind, podOf('user', '100m', { volumes }));
  const key = { namespace: 'default', name: 'data' };
  await until('the claim knows the node', async () => {
    const { metadata } = await client.get(claimKind, key);
    return metadata?.annotations?.['volume.kubernetes.io/selected-node'] === 'n1';
  });
  assert.equal(await nodeOf(client, 'user'), undefined);
  // What a provisioner and the binder do then.
  await client.create(volumeKind, {
    metadata: { name: 'v1' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'late',
      hostPath: { path: '/v1' },
    },
  });
  await client.patch(claimKind, key, { type: 'merge', body: { spec: { volumeName: 'v1' } } });
  await client.patch(
    claimKind,
    key,
    { type: 'merge', body: { status: { phase: 'Bound' } } },
    { subresource: 'status' },
  );
  await until('the pod is bound', async () => (await nodeOf(client, 'user')) === 'n1');
});
