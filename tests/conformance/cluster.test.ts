// What the conformance descriptions promise of controllers: ownership, garbage collection, quotas and scheduling, with played nodes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mergePatch, send } from '../../src/apiserver/test-request.ts';
import { until } from '../../src/base/until.ts';
import type { Transport } from '../../src/client/transport.ts';
import { startTestCluster, type TestCluster } from '../../src/controllers/test-cluster.ts';

const waitMs = 60_000;
const core = '/api/v1/namespaces/default';
const apps = '/apis/apps/v1/namespaces/default';

let cluster: TestCluster;
let api: Transport;
before(async () => {
  cluster = await startTestCluster();
  api = cluster.api.server.transport();
});
after(() => cluster.close());

const specOf = (app: string) => ({ metadata: { labels: { app } }, spec: podSpec });
const podSpec = { containers: [{ name: 'main', image: 'app:1' }], terminationGracePeriodSeconds: 0 };

async function create(path: string, body: object): Promise<Awaited<ReturnType<typeof send>>['object']> {
  const { code, object } = await send(api, `POST ${path}`, { body });
  assert.equal(code, 201, JSON.stringify(object));
  return object;
}

async function podsOf(app: string) {
  return (await send(api, `GET ${core}/pods?labelSelector=app%3D${app}`)).object.items ?? [];
}

const ownerOf = (pod: { metadata?: { ownerReferences?: { controller?: boolean; name: string }[] } }) =>
  pod.metadata?.ownerReferences?.find(({ controller }) => controller)?.name;

for (const [kind, path, specFor] of [
  ['ReplicaSet', `${apps}/replicasets`, (app: string) => ({ selector: { matchLabels: { app } } })],
  ['ReplicationController', `${core}/replicationcontrollers`, (app: string) => ({ selector: { app } })],
] as const) {
  const app = `adopt-${kind.toLowerCase()}`;
  const apiVersion = kind === 'ReplicaSet' ? 'apps/v1' : 'v1';

  test(`a ${kind} adopts a pod that it selects, and releases it when its labels change`, async () => {
    await create(`${core}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: app, labels: { app } },
      spec: podSpec,
    });
    const spec = { ...specFor(app), replicas: 1, template: specOf(app) };
    await create(path, { apiVersion, kind, metadata: { name: app }, spec });
    await until(
      'the pod is adopted',
      async () => (await podsOf(app)).some((pod) => ownerOf(pod) === app),
      waitMs,
    );
    assert.deepEqual(
      (await podsOf(app)).map(({ metadata }) => metadata?.name),
      [app],
    );
    await mergePatch(api, `${core}/pods/${app}`, { metadata: { labels: { app: 'released' } } });
    await until(
      'it is released, and replaced',
      async () => {
        const released = (await send(api, `GET ${core}/pods/${app}`)).object;
        return ownerOf(released) === undefined && (await podsOf(app)).length === 1;
      },
      waitMs,
    );
  });

  const deleted = async (propagationPolicy: 'Background' | 'Orphan') => {
    const name = `${propagationPolicy.toLowerCase()}-${kind.toLowerCase()}`;
    const spec = { ...specFor(name), replicas: 2, template: specOf(name) };
    await create(path, { apiVersion, kind, metadata: { name }, spec });
    await until('there are two', async () => (await podsOf(name)).length === 2, waitMs);
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy };
    assert.equal((await send(api, `DELETE ${path}/${name}`, { body })).code, 200);
    await until('it is gone', async () => (await send(api, `GET ${path}/${name}`)).code === 404, waitMs);
    return name;
  };

  test(`the pods of a ${kind} go with it in the background`, async () => {
    const name = await deleted('Background');
    await until('so are they', async () => (await podsOf(name)).length === 0, waitMs);
  });

  test(`the pods of a ${kind} stay where they are orphaned`, async () => {
    const name = await deleted('Orphan');
    const areFree = async () => {
      const pods = await podsOf(name);
      return pods.length === 2 && pods.every((pod) => ownerOf(pod) === undefined);
    };
    await until('they belong to nobody', areFree, waitMs);
  });
}

test('with foreground deletion an owner waits for what blocks it, and goes last', async () => {
  const spec = { selector: { app: 'fore' }, replicas: 2, template: specOf('fore') };
  spec.template.metadata = { ...spec.template.metadata, finalizers: ['example.com/hold'] } as never;
  const path = `${core}/replicationcontrollers`;
  await create(path, { apiVersion: 'v1', kind: 'ReplicationController', metadata: { name: 'fore' }, spec });
  await until('there are two', async () => (await podsOf('fore')).length === 2, waitMs);
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground' };
  await send(api, `DELETE ${path}/fore`, { body });
  await until(
    'the pods are being deleted',
    async () => (await podsOf('fore')).every(({ metadata }) => metadata?.deletionTimestamp),
    waitMs,
  );
  assert.deepEqual((await send(api, `GET ${path}/fore`)).object.metadata?.finalizers, ['foregroundDeletion']);
  for (const { metadata } of await podsOf('fore'))
    await mergePatch(api, `${core}/pods/${metadata?.name}`, { metadata: { finalizers: null } });
  await until('the owner is gone', async () => (await send(api, `GET ${path}/fore`)).code === 404, waitMs);
});

test('what has another owner that stays is not deleted with one that waits for it', async () => {
  const owner = (name: string) =>
    create(`${core}/configmaps`, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  const reference = (object: Awaited<ReturnType<typeof owner>>, blockOwnerDeletion: boolean) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: object.metadata!.name!,
    uid: object.metadata!.uid!,
    blockOwnerDeletion,
  });
  const [going, staying] = [await owner('going'), await owner('staying')];
  const ownerReferences = [reference(going, true), reference(staying, false)];
  const child = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'child', ownerReferences } };
  await create(`${core}/configmaps`, child);
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground' };
  await send(api, `DELETE ${core}/configmaps/going`, { body });
  await until(
    'the owner is gone',
    async () => (await send(api, `GET ${core}/configmaps/going`)).code === 404,
    waitMs,
  );
  const { object } = await send(api, `GET ${core}/configmaps/child`);
  assert.deepEqual(
    object.metadata?.ownerReferences?.map(({ name }) => name),
    ['staying'],
  );
});

test('a circle of owners does not keep them from being deleted', async () => {
  const names = ['circle-a', 'circle-b', 'circle-c'];
  const made = [];
  for (const name of names)
    made.push(
      await create(`${core}/configmaps`, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }),
    );
  for (const [index, name] of names.entries()) {
    const { metadata } = made[(index + 1) % names.length]!;
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: metadata!.name, uid: metadata!.uid };
    await mergePatch(api, `${core}/configmaps/${name}`, { metadata: { ownerReferences: [reference] } });
  }
  await send(api, `DELETE ${core}/configmaps/circle-a`);
  await until(
    'all are gone',
    async () => {
      const codes = await Promise.all(names.map((name) => send(api, `GET ${core}/configmaps/${name}`)));
      return codes.every(({ code }) => code === 404);
    },
    waitMs,
  );
});

const counted = { replicas: 0, selector: { app: 'q' }, template: specOf('q') };
const ofSet = { ...counted, selector: { matchLabels: { app: 'q' } } };
for (const [count, plural, body] of [
  ['configmaps', 'configmaps', { apiVersion: 'v1', kind: 'ConfigMap' }],
  ['secrets', 'secrets', { apiVersion: 'v1', kind: 'Secret' }],
  ['services', 'services', { apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } }],
  [
    'replicationcontrollers',
    'replicationcontrollers',
    { apiVersion: 'v1', kind: 'ReplicationController', spec: counted },
  ],
  ['count/replicasets.apps', 'replicasets', { apiVersion: 'apps/v1', kind: 'ReplicaSet', spec: ofSet }],
] as const) {
  test(`a quota counts the life of a ${body.kind}`, async () => {
    const name = `counts-${plural}`;
    await send(api, 'POST /api/v1/namespaces', {
      body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    });
    const quotas = `/api/v1/namespaces/${name}/resourcequotas`;
    const spec = { hard: { [count]: '10' } };
    await create(quotas, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'all' }, spec });
    const used = async () => (await send(api, `GET ${quotas}/all`)).object.status?.used?.[count];
    // Every namespace has a ConfigMap of its own.
    const first = count === 'configmaps' ? 1 : 0;
    await until('the quota is counted', async () => (await used()) === String(first), waitMs);
    const root = body.apiVersion === 'v1' ? '/api/v1' : `/apis/${body.apiVersion}`;
    const path = `${root}/namespaces/${name}/${plural}`;
    await create(path, { ...body, metadata: { name: 'counted' } });
    await until('it is counted', async () => (await used()) === String(first + 1), waitMs);
    await send(api, `DELETE ${path}/counted`);
    await until('it is given back', async () => (await used()) === String(first), waitMs);
  });
}

test('a replication controller that a quota stops says so in a condition, which goes when it fits', async () => {
  const path = '/api/v1/namespaces/stopped';
  await send(api, 'POST /api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'stopped' } },
  });
  const quota = { metadata: { name: 'two' }, spec: { hard: { pods: '2' } } };
  await create(`${path}/resourcequotas`, { apiVersion: 'v1', kind: 'ResourceQuota', ...quota });
  const spec = { replicas: 3, selector: { app: 'stopped' }, template: specOf('stopped') };
  const name = 'stopped';
  await create(`${path}/replicationcontrollers`, {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name },
    spec,
  });
  const failure = async () =>
    (await send(api, `GET ${path}/replicationcontrollers/${name}`)).object.status?.conditions?.find(
      ({ type }: { type: string }) => type === 'ReplicaFailure',
    );
  await until('it says what stops it', async () => (await failure())?.status === 'True', waitMs);
  await mergePatch(api, `${path}/replicationcontrollers/${name}`, { spec: { replicas: 2 } });
  await until('the condition is gone', async () => (await failure()) === undefined, waitMs);
});

test('a job adopts a matching orphan and releases a pod that no longer matches', async () => {
  const path = '/apis/batch/v1/namespaces/default/jobs';
  const template = { spec: { ...podSpec, restartPolicy: 'Never' } };
  const spec = { parallelism: 2, completions: 2, template };
  const job = await create(path, { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'adopts' }, spec });
  const selector = `labelSelector=controller-uid%3D${job.metadata?.uid}`;
  const pods = async () => (await send(api, `GET ${core}/pods?${selector}`)).object.items ?? [];
  await until('two pods', async () => (await pods()).length === 2, waitMs);
  const name = (await pods())[0]!.metadata!.name!;
  await mergePatch(api, `${core}/pods/${name}`, { metadata: { ownerReferences: null } });
  await until(
    'the orphan is adopted',
    async () => (await pods()).every((pod) => ownerOf(pod) === 'adopts'),
    waitMs,
  );
  await mergePatch(api, `${core}/pods/${name}`, { metadata: { labels: null } });
  await until(
    'it is released',
    async () => ownerOf((await send(api, `GET ${core}/pods/${name}`)).object) === undefined,
    waitMs,
  );
});

test('a failed daemon pod is made anew', async () => {
  const spec = { selector: { matchLabels: { app: 'failing' } }, template: specOf('failing') };
  await create(`${apps}/daemonsets`, {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'failing' },
    spec,
  });
  await until('one on each node', async () => (await podsOf('failing')).length === 2, waitMs);
  const failed = (await podsOf('failing'))[0]!.metadata!;
  await mergePatch(api, `${core}/pods/${failed.name}/status`, { status: { phase: 'Failed' } });
  await until(
    'another pod is in its place',
    async () => {
      const pods = await podsOf('failing');
      return pods.length === 2 && pods.every(({ metadata }) => metadata?.uid !== failed.uid);
    },
    waitMs,
  );
});

test('every namespace has the root certificate, which comes back when it is deleted or changed', async () => {
  const path = `${core}/configmaps/kube-root-ca.crt`;
  await until('it is there', async () => (await send(api, `GET ${path}`)).code === 200, waitMs);
  const { data } = (await send(api, `GET ${path}`)).object;
  await send(api, `DELETE ${path}`);
  await until('it is back', async () => (await send(api, `GET ${path}`)).code === 200, waitMs);
  await mergePatch(api, path, { data: { 'ca.crt': 'wrong' } });
  await until(
    'it is right again',
    async () => (await send(api, `GET ${path}`)).object.data?.['ca.crt'] === data['ca.crt'],
    waitMs,
  );
});

for (const [plural, kind, spec] of [
  ['pods', 'Pod', podSpec],
  ['services', 'Service', { ports: [{ port: 80 }] }],
] as const) {
  test(`a namespace that is deleted takes its ${plural} along`, async () => {
    const name = `emptied-of-${plural}`;
    const path = `/api/v1/namespaces/${name}`;
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await create('/api/v1/namespaces', namespace);
    const account = async () => (await send(api, `GET ${path}/serviceaccounts/default`)).code === 200;
    await until('its account', account, waitMs);
    await create(`${path}/${plural}`, { apiVersion: 'v1', kind, metadata: { name: 'one' }, spec });
    await send(api, `DELETE ${path}`);
    await until('it is gone', async () => (await send(api, `GET ${path}`)).code === 404, waitMs);
    await create('/api/v1/namespaces', namespace);
    assert.deepEqual((await send(api, `GET ${path}/${plural}`)).object.items, []);
  });
}

test('pods with the same host port and protocol do not share a node', async () => {
  const ports = [{ containerPort: 80, hostPort: 54321 }];
  const nodeSelector = { 'kubernetes.io/hostname': 'n1' };
  const pod = (name: string, hostIP: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { nodeSelector, containers: [{ name: 'main', image: 'app:1', ports: [{ ...ports[0], hostIP }] }] },
  });
  const running = async (name: string) =>
    (await send(api, `GET ${core}/pods/${name}`)).object.spec.nodeName === 'n1';
  await create(`${core}/pods`, pod('port-any', '0.0.0.0'));
  await until('the first is there', () => running('port-any'), waitMs);
  await create(`${core}/pods`, pod('port-one', '127.0.0.1'));
  await until(
    'the second is told why not',
    async () => {
      const { conditions = [] } = (await send(api, `GET ${core}/pods/port-one`)).object.status;
      return conditions.some(({ message = '' }) => /didn't have free ports/.test(message));
    },
    waitMs,
  );
});
