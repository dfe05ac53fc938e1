import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { customResourceDefinition as definitionKind } from '../api/kinds/customResourceDefinition.ts';
import { kinds } from '../api/kinds/index.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { resourceQuota as quotaKind, type ResourceQuotaSpec } from '../api/kinds/resourceQuota.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { cronTab, cronTabDefinition, cronTabs } from '../apiserver/custom-resources/test-definition.ts';
import { startTestServer } from '../apiserver/test-server.ts';
import { systemClock } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { until } from '../base/until.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import { createInformers } from './informers.ts';
import { run } from './resource-quota.ts';

const namespace = 'default';

/** A real API server and the controller, and one quota that has been counted. */
async function start(t: TestContext, spec: ResourceQuotaSpec): Promise<Client> {
  const api = await startTestServer({ listens: false });
  const client = createClient(api.server.transport());
  const stopping = new AbortController();
  const shared = { client, clock: systemClock, log: silentLog };
  const informers = createInformers({ ...shared, signal: stopping.signal });
  const recorder = () => ({ record: () => {}, flush: async () => {}, stop: () => {} });
  const controller = run({ ...shared, informers, recorder }, kinds);
  t.after(async () => {
    await controller.stop();
    stopping.abort();
    await api.close();
  });
  await client.create(quotaKind, { metadata: { name: 'q', namespace }, spec });
  await until('it is counted', async () => Object.keys(await used(client)).length > 0);
  return client;
}

const used = async (client: Client) =>
  (await client.get(quotaKind, { namespace, name: 'q' })).status?.used ?? {};

const podOf = (name: string, resources: object = {}, spec: object = {}): Pod => ({
  metadata: { name, namespace },
  spec: { containers: [{ name: 'main', image: 'app:1', resources }], ...spec },
});

/** What the server says; `made` where it lets the object in. */
async function making(made: Promise<unknown>): Promise<string> {
  try {
    await made;
    return 'made';
  } catch (error) {
    if (!isStatus(error)) throw error;
    return error.message;
  }
}

test('what is more than a quota is refused, and a deletion makes room again', async (t) => {
  const client = await start(t, { hard: { pods: '2' } });
  for (const name of ['a', 'b']) await client.create(podKind, podOf(name));
  assert.equal(
    await making(client.create(podKind, podOf('c'))),
    'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
  );
  assert.deepEqual(await used(client), { pods: '2' });
  await client.delete(podKind, { namespace, name: 'a' });
  await until('there is room', async () => (await used(client)).pods === '1');
  assert.equal(await making(client.create(podKind, podOf('c'))), 'made');
});

test('writes that race for the last place never overrun it', async (t) => {
  const client = await start(t, { hard: { pods: '7', 'requests.cpu': '10' } });
  const cpu = { requests: { cpu: '1' } };
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, (_, index) => making(client.create(podKind, podOf(`p-${index}`, cpu)))),
  );
  assert.equal(outcomes.filter((outcome) => outcome === 'made').length, 7);
  assert.equal((await client.list(podKind, { namespace })).items.length, 7);
  assert.deepEqual(await used(client), { pods: '7', 'requests.cpu': '7' });
});

test('deletions and creations that race never overrun either', async (t) => {
  const client = await start(t, { hard: { pods: '5' } });
  for (let round = 0; round < 8; round++) {
    await Promise.all([
      ...Array.from({ length: 10 }, (_, index) =>
        making(client.create(podKind, podOf(`p-${round}-${index}`))),
      ),
      ...(await client.list(podKind, { namespace })).items
        .slice(0, 3)
        .map(({ metadata }) => client.delete(podKind, { namespace, name: metadata!.name! })),
    ]);
    assert.ok((await client.list(podKind, { namespace })).items.length <= 5, `round ${round}`);
  }
  const { items } = await client.list(podKind, { namespace });
  await until('the count is right', async () => (await used(client)).pods === String(items.length));
});

test('a write that fails after its charge gives it back', async (t) => {
  const client = await start(t, { hard: { 'count/pods': '5' } });
  await client.create(podKind, podOf('a'));
  assert.match(await making(client.create(podKind, podOf('a'))), /already exists/);
  await until('it is given back', async () => (await used(client))['count/pods'] === '1');
});

test('each container must say what is limited, and limits are summed up', async (t) => {
  const hard = { 'requests.cpu': '1', 'limits.cpu': '2', 'limits.memory': '1Gi' };
  const client = await start(t, { hard });
  assert.equal(
    await making(client.create(podKind, podOf('silent'))),
    'pods "silent" is forbidden: failed quota: q: must specify limits.cpu for: main; limits.memory for: main; requests.cpu for: main',
  );
  const resources = { limits: { cpu: '1500m', memory: '512Mi' }, requests: { cpu: '600m' } };
  assert.equal(await making(client.create(podKind, podOf('one', resources))), 'made');
  assert.deepEqual(await used(client), {
    'requests.cpu': '600m',
    'limits.cpu': '1500m',
    'limits.memory': '512Mi',
  });
  assert.equal(
    await making(client.create(podKind, podOf('two', resources))),
    'pods "two" is forbidden: exceeded quota: q, requested: limits.cpu=1500m,requests.cpu=600m, used: limits.cpu=1500m,requests.cpu=600m, limited: limits.cpu=2,requests.cpu=1',
  );
});

test('services count by their kind, and an update is charged for what it adds', async (t) => {
  const client = await start(t, {
    hard: { services: '3', 'services.nodeports': '1', 'services.loadbalancers': '0' },
  });
  const service = (name: string, type: 'ClusterIP' | 'NodePort' | 'LoadBalancer', ports: number[]) => ({
    metadata: { name, namespace },
    spec: { type, ports: ports.map((port) => ({ name: `p${port}`, port })) },
  });
  const made = await client.create(serviceKind, service('a', 'NodePort', [80]));
  assert.match(
    await making(client.create(serviceKind, service('b', 'LoadBalancer', [80]))),
    /exceeded quota: q, requested: services.loadbalancers=1,services.nodeports=1, used: services.loadbalancers=0,services.nodeports=1, limited: services.loadbalancers=0,services.nodeports=1$/,
  );
  const grown = {
    ...made,
    spec: { ...made.spec!, ports: [...made.spec!.ports!, { name: 'p81', port: 81 }] },
  };
  assert.match(await making(client.update(serviceKind, grown)), /requested: services.nodeports=1, used/);
  await client.update(serviceKind, { ...made, spec: { ...made.spec!, type: 'ClusterIP' } });
  await until('the port is free', async () => (await used(client))['services.nodeports'] === '0');
});

test('a quota with scopes counts only the pods that they choose', async (t) => {
  const matchExpressions = [{ scopeName: 'PriorityClass', operator: 'In', values: ['system-node-critical'] }];
  const client = await start(t, {
    hard: { pods: '1' },
    scopes: ['NotTerminating'],
    scopeSelector: { matchExpressions },
  });
  const critical = { priorityClassName: 'system-node-critical' };
  const table: [string, object, string][] = [
    ['plain', {}, 'made'],
    ['ending', { ...critical, activeDeadlineSeconds: 5 }, 'made'],
    ['first', critical, 'made'],
    [
      'second',
      critical,
      'pods "second" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
    ],
  ];
  for (const [name, spec, outcome] of table) {
    assert.equal(await making(client.create(podKind, podOf(name, {}, spec))), outcome);
  }
});

test('a dry run is judged and charges nothing', async (t) => {
  const client = await start(t, { hard: { pods: '1' } });
  await client.create(podKind, podOf('a'), { dryRun: true });
  assert.deepEqual(await used(client), { pods: '0' });
  await client.create(podKind, podOf('a'));
  assert.match(await making(client.create(podKind, podOf('b'), { dryRun: true })), /exceeded quota/);
});

test('custom resources are counted, also when they go, and when the quota comes after them', async (t) => {
  const name = 'count/crontabs.stable.example.com';
  const client = await start(t, { hard: { [name]: '2' } });
  await client.create(definitionKind, cronTabDefinition());
  await until('the kind is served', async () => {
    const made = await making(client.create(cronTabs(), cronTab('a')));
    return made === 'made';
  });
  await client.create(cronTabs(), cronTab('b'));
  assert.equal(
    await making(client.create(cronTabs(), cronTab('c'))),
    `crontabs.stable.example.com "c" is forbidden: exceeded quota: q, requested: ${name}=1, used: ${name}=2, limited: ${name}=2`,
  );
  await client.delete(cronTabs(), { namespace, name: 'a' });
  await until('there is room', async () => (await used(client))[name] === '1');
  await client.create(quotaKind, { metadata: { name: 'later', namespace }, spec: { hard: { [name]: '5' } } });
  await until('the one that is there counts', async () => {
    const { status } = await client.get(quotaKind, { namespace, name: 'later' });
    return status?.used?.[name] === '1';
  });
});
