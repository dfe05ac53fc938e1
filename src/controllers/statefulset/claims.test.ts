import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { StatefulSet, StatefulSetSpec } from '../../api/kinds/statefulSet.ts';
import type { OwnerReference } from '../../api/object.ts';
import { claimsOf, ownersOf, withClaims } from './claims.ts';

type Policy = NonNullable<StatefulSetSpec['persistentVolumeClaimRetentionPolicy']>;

const setOf = (policy: Policy = {}): StatefulSet => ({
  metadata: { name: 'db', namespace: 'default', uid: 'set' },
  spec: {
    selector: { matchLabels: { app: 'db' } },
    template: { spec: { containers: [{ name: 'main' }] } },
    persistentVolumeClaimRetentionPolicy: policy,
    volumeClaimTemplates: [
      { metadata: { name: 'data', labels: { tier: 'slow' } }, spec: { accessModes: ['ReadWriteOnce'] } },
    ],
  },
});
const pod: Pod = { metadata: { name: 'db-1', uid: 'pod' } };
const claim = (ownerReferences: OwnerReference[] = []): PersistentVolumeClaim => ({
  metadata: { name: 'data-db-1', ownerReferences },
});

test('a claim is named after template, set and ordinal, and takes the place of a volume of that name', () => {
  const [made] = claimsOf(setOf(), 1);
  assert.deepEqual(made?.metadata, {
    name: 'data-db-1',
    namespace: 'default',
    labels: { tier: 'slow', app: 'db' },
  });
  const volumes = [
    { name: 'data', emptyDir: {} },
    { name: 'tmp', emptyDir: {} },
  ];
  assert.deepEqual(withClaims(setOf(), 1, volumes), [
    { name: 'data', persistentVolumeClaim: { claimName: 'data-db-1' } },
    { name: 'tmp', emptyDir: {} },
  ]);
});

test('the retention policy decides who owns a claim', () => {
  const owners = (policy: Policy, isCondemned: boolean, before: OwnerReference[] = []) =>
    ownersOf(claim(before), { statefulSet: setOf(policy), pod, isCondemned })?.map(({ uid }) => uid);
  const scaled = { whenScaled: 'Delete' } as const;
  const deleted = { whenDeleted: 'Delete' } as const;
  const both = { ...scaled, ...deleted };
  const cases: [Policy, boolean, string[] | undefined][] = [
    [{}, false, undefined],
    [{}, true, undefined],
    [deleted, false, ['set']],
    [deleted, true, ['set']],
    [scaled, false, undefined],
    [scaled, true, ['pod']],
    [both, false, ['set']],
    [both, true, ['pod']],
  ];
  for (const [policy, isCondemned, expected] of cases) {
    assert.deepEqual(owners(policy, isCondemned), expected, JSON.stringify([policy, isCondemned]));
  }
  const byPod = { apiVersion: 'v1', kind: 'Pod', name: 'db-1', uid: 'pod', controller: true };
  assert.deepEqual(owners(scaled, false, [byPod]), [], 'scaled up again in time');
  const former = { ...byPod, uid: 'former' };
  assert.equal(owners(scaled, false, [former]), undefined, 'it goes with the pod that was before');
  const foreign = { apiVersion: 'v1', kind: 'Backup', name: 'b', uid: 'b', controller: true };
  assert.equal(owners(deleted, false, [foreign]), undefined);
  const bySet = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'set' };
  assert.deepEqual(owners(deleted, false, [foreign, bySet]), ['b'], 'two do not manage one claim');
});
