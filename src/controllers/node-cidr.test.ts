import assert from 'node:assert/strict';
import { test } from 'node:test';
import { event as eventKind } from '../api/kinds/event.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { until } from '../base/until.ts';
import { find, startTestCluster } from './test-cluster.ts';

test('a node beyond the network is told so, and gets what another one leaves', async (t) => {
  const podNetwork = { clusterCidr: '10.42.0.0/24', nodeCidrMaskSize: 25 };
  const cluster = await startTestCluster({ nodes: ['n1', 'n2'], podNetwork });
  t.after(() => cluster.close());
  const { client } = cluster;
  const rangeOf = async (name: string) => (await find(client, nodeKind, name))?.spec?.podCIDR;
  await until('both have a range', async () => (await rangeOf('n1')) && (await rangeOf('n2')));
  assert.deepEqual([await rangeOf('n1'), await rangeOf('n2')].sort(), ['10.42.0.0/25', '10.42.0.128/25']);
  const left = await rangeOf('n1');
  await cluster.addNode('n3');
  const told = await until('it is told', async () => {
    const { items } = await client.list(eventKind, { namespace: 'default' });
    return items.find(
      ({ reason, involvedObject }) => reason === 'CIDRNotAvailable' && involvedObject.name === 'n3',
    );
  });
  assert.match(
    told.message ?? '',
    /^All 2 pod subnets of 10.42.0.0\/24 are taken: no pod starts on this node/,
  );
  await client.delete(nodeKind, { name: 'n1' });
  await until('it has that of the other', async () => (await rangeOf('n3')) === left);
});
