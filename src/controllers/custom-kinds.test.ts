import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { configMap as configMapKind } from '../api/kinds/configMap.ts';
import {
  type CustomResourceDefinition,
  customResourceDefinition as definitionKind,
} from '../api/kinds/customResourceDefinition.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { namespace as namespaceKind } from '../api/kinds/namespace.ts';
import type { KubeObject, OwnerReference } from '../api/object.ts';
import { cronTab, cronTabDefinition, cronTabs } from '../apiserver/custom-resources/test-definition.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster({ nodes: [] });
});
after(() => cluster.close());

const name = 'crontabs.stable.example.com';

async function define(): Promise<void> {
  await cluster.client.create(definitionKind, cronTabDefinition());
  await until('the kind is served', async () => {
    const definition: CustomResourceDefinition | undefined = await find(
      cluster.client,
      definitionKind,
      name,
      '',
    );
    return definition?.status?.conditions?.some(
      ({ type, status }) => type === 'Established' && status === 'True',
    );
  });
}

const ownedBy = ({ apiVersion, kind, metadata }: KubeObject): OwnerReference[] => [
  { apiVersion: apiVersion!, kind: kind!, name: metadata!.name!, uid: metadata!.uid! },
];

test('custom resources own and are owned, and go with their definition, which may come back', async () => {
  const { client } = cluster;
  await define();
  const owner = await client.create(cronTabs(), cronTab('owner'));
  const metadata = { name: 'of-owner', namespace: 'default', ownerReferences: ownedBy(owner) };
  const map = await client.create(configMapKind, { metadata });
  const below = cronTab('below');
  below.metadata!.ownerReferences = ownedBy(map);
  await client.create(cronTabs(), below);
  await client.delete(cronTabs(), { namespace: 'default', name: 'owner' });
  await until('what it owned is gone', async () => !(await find(client, configMapKind, 'of-owner')));
  await until('and what that owned', async () => !(await find(client, cronTabs(), 'below')));

  await client.create(cronTabs(), cronTab('left'));
  await client.delete(definitionKind, { name });
  await until('the definition is gone', async () => !(await find(client, definitionKind, name)));
  await assert.rejects(client.list(cronTabs()), { reason: 'NotFound' });
  await define();
  assert.deepEqual((await client.list(cronTabs())).items, []);
  await client.delete(definitionKind, { name });
  await until('the definition is gone again', async () => !(await find(client, definitionKind, name)));
});

test('a namespace is emptied of custom resources before it goes, those with finalizers too', async () => {
  const { client } = cluster;
  await define();
  await client.create(namespaceKind, { metadata: { name: 'team' } });
  const held = cronTab('held');
  held.metadata = { name: 'held', namespace: 'team', finalizers: ['example.com/hold'] };
  await client.create(cronTabs(), held);
  await client.delete(namespaceKind, { name: 'team' });
  const left = await until('its deletion begins', async () => {
    const found = await find(client, cronTabs(), 'held', 'team');
    return found?.metadata?.deletionTimestamp ? found : undefined;
  });
  assert.ok(await find(client, namespaceKind, 'team'));
  const body = { metadata: { finalizers: null, uid: left.metadata!.uid } };
  await client.patch(cronTabs(), { namespace: 'team', name: 'held' }, { type: 'merge', body });
  await until('the namespace is gone', async () => !(await find(client, namespaceKind, 'team')));
});

test('what has an owner of a kind that nobody knows stays until the kind is known', async () => {
  const { client } = cluster;
  await client.delete(definitionKind, { name }).catch(() => {});
  await until('the definition is gone', async () => !(await find(client, definitionKind, name)));
  const absent = { apiVersion: 'v1', kind: 'ConfigMap', name: 'absent', uid: 'absent' };
  const unknown = { apiVersion: cronTab('x').apiVersion!, kind: 'CronTab', name: 'never', uid: 'never' };
  const make = (mapName: string, ownerReferences: OwnerReference[]) =>
    client.create(configMapKind, { metadata: { name: mapName, namespace: 'default', ownerReferences } });
  await make('of-both', [absent, unknown]);
  await make('of-absent', [absent]);
  await until('what others own is gone', async () => !(await find(client, configMapKind, 'of-absent')));
  assert.equal((await find(client, configMapKind, 'of-both'))?.metadata?.ownerReferences?.length, 2);
  await define();
  await until('it is gone', async () => !(await find(client, configMapKind, 'of-both')));
});

test('an owner in another namespace is none, and an event says so', async () => {
  const { client } = cluster;
  const owner = await client.create(configMapKind, { metadata: { name: 'apart', namespace: 'kube-public' } });
  const { uid = '' } = owner.metadata ?? {};
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'apart', uid }];
  await client.create(configMapKind, { metadata: { name: 'misled', namespace: 'default', ownerReferences } });
  await until('it is gone', async () => !(await find(client, configMapKind, 'misled')));
  const told = await until('it is told', async () =>
    (await client.list(eventKind, { namespace: 'default' })).items.find(
      ({ reason }) => reason === 'OwnerRefInvalidNamespace',
    ),
  );
  assert.deepEqual(
    [told.type, told.source?.component, told.involvedObject.name, told.message],
    [
      'Warning',
      'garbage-collector-controller',
      'misled',
      `ownerRef [v1/ConfigMap, namespace: default, name: apart, uid: ${uid}] does not exist in namespace "default"`,
    ],
  );
});
