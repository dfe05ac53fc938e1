import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints } from '../../api/kinds/endpoints.ts';
import { isMirrored, mirroredBy, plan, subsetAddressesMax } from './plan.ts';

const endpoints = (subsets: Endpoints['subsets'], metadata: object = {}): Endpoints => ({
  metadata: { name: 'db', namespace: 'default', uid: 'u-1', labels: { team: 'a' }, ...metadata },
  ...(subsets && { subsets }),
});
const ports = [{ name: 'sql', port: 5432, protocol: 'TCP' as const }];

test('each subset becomes a slice for each family, owned by the Endpoints', () => {
  const made = plan(
    endpoints([
      { addresses: [{ ip: '10.1.0.1' }, { ip: 'fd00::1' }], notReadyAddresses: [{ ip: '10.1.0.2' }], ports },
    ]),
    [],
  );
  assert.deepEqual(
    made.create.map(({ addressType, endpoints: all }) => [
      addressType,
      ...all.map(({ addresses, conditions }) => `${addresses[0]} ${conditions?.ready}`),
    ]),
    [
      ['IPv4', '10.1.0.1 true', '10.1.0.2 false'],
      ['IPv6', 'fd00::1 true'],
    ],
  );
  const { metadata } = made.create[0]!;
  assert.deepEqual(metadata!.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'db',
    'endpointslice.kubernetes.io/managed-by': mirroredBy,
  });
  assert.equal(metadata!.generateName, 'db-');
  assert.deepEqual(
    metadata!.ownerReferences?.map(({ kind, uid }) => [kind, uid]),
    [['Endpoints', 'u-1']],
  );
});

test('a slice that is there is kept, changed in place, or deleted', () => {
  const one = endpoints([{ addresses: [{ ip: '10.1.0.1' }], ports }]);
  const [made] = plan(one, []).create;
  const { generateName: _, ...metadata } = made!.metadata!;
  const present = { ...made!, metadata: { ...metadata, name: 'db-abcde', uid: 's-1' } };
  assert.deepEqual(plan(one, [present]), { create: [], update: [], delete: [] });
  const two = endpoints([{ addresses: [{ ip: '10.1.0.1' }, { ip: '10.1.0.9' }], ports }]);
  const { create, update } = plan(two, [present]);
  assert.deepEqual(
    [create.length, update[0]?.metadata?.name, update[0]?.endpoints.length],
    [0, 'db-abcde', 2],
  );
  assert.deepEqual(plan(endpoints([]), [present]).delete, [present]);
});

test('of one subset a thousand addresses are mirrored', () => {
  const addresses = Array.from({ length: 1_200 }, (_, index) => ({
    ip: `10.1.${index >> 8}.${index & 255}`,
  }));
  const [slice] = plan(endpoints([{ addresses, ports }]), []).create;
  assert.equal(slice!.endpoints.length, subsetAddressesMax);
});

test('Endpoints of leader elections, and those that say so, are not mirrored', () => {
  assert.equal(isMirrored(endpoints([])), true);
  assert.equal(
    isMirrored(endpoints([], { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } })),
    false,
  );
  const annotations = { 'control-plane.alpha.kubernetes.io/leader': '{}' };
  assert.equal(isMirrored(endpoints([], { annotations })), false);
});
