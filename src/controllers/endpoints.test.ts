import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { apiService } from '../api/kinds/apiService.ts';
import { endpointSlice } from '../api/kinds/endpointSlice.ts';
import { type Endpoints, endpoints } from '../api/kinds/endpoints.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

const ips = (object: Endpoints | undefined) =>
  (object?.subsets ?? []).flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip));

test("a Service's pods are listed as its Endpoints, and the Endpoints go with the Service", async () => {
  const { client } = cluster;
  await client.create(serviceKind, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  } as object);
  await client.create(podKind, {
    metadata: { name: 'web-1', namespace: 'default', labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'app:1' }] },
  } as object);
  await until('the pod is listed', async () => ips(await find(client, endpoints, 'web')).length === 1);
  const slices = await client.list(endpointSlice, { namespace: 'default' });
  const mirrored = slices.items.filter(({ metadata }) =>
    metadata?.labels?.['endpointslice.kubernetes.io/managed-by']?.startsWith('endpointslicemirroring'),
  );
  assert.deepEqual(mirrored, [], 'what has a selector is not mirrored');
  await client.delete(serviceKind, { namespace: 'default', name: 'web' });
  await until('the Endpoints are gone', async () => (await find(client, endpoints, 'web')) === undefined);
});

test('Endpoints of a Service without a selector become EndpointSlices', async () => {
  const { client } = cluster;
  await client.create(serviceKind, {
    metadata: { name: 'db', namespace: 'default' },
    spec: { ports: [{ name: 'sql', port: 5432 }] },
  } as object);
  await client.create(endpoints, {
    metadata: { name: 'db', namespace: 'default' },
    subsets: [{ addresses: [{ ip: '192.0.2.7' }], ports: [{ name: 'sql', port: 5432 }] }],
  });
  const mirrored = async () =>
    (
      await client.list(endpointSlice, {
        namespace: 'default',
        labelSelector: 'kubernetes.io/service-name=db',
      })
    ).items;
  await until('a slice is made', async () => (await mirrored()).length === 1);
  const [slice] = await mirrored();
  assert.deepEqual(slice?.endpoints[0]?.addresses, ['192.0.2.7']);
  await client.delete(endpoints, { namespace: 'default', name: 'db' });
  await until('the slice is gone', async () => (await mirrored()).length === 0);
});

test('every version that is served is registered as an APIService, and comes back when it is deleted', async () => {
  const { client } = cluster;
  const isThere = async (name: string) =>
    (await find(client, apiService, name))?.status?.conditions?.[0]?.reason;
  await until('they are registered', async () => (await isThere('v1.apps')) === 'Local');
  await until('the core is registered', async () => (await isThere('v1.')) === 'Local');
  await client.delete(apiService, { name: 'v1.apps' });
  await until('it is back', async () => (await isThere('v1.apps')) === 'Local');
});
