import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { integer, microTime, object, string, type TypeOf } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

export const leaseSpec = object('io.k8s.api.coordination.v1.LeaseSpec', {
  acquireTime: microTime({ doc: 'When the holder took it.' }),
  holderIdentity: string({ doc: 'Who holds it.' }),
  leaseDurationSeconds: integer({ doc: 'How long it holds after renewTime.', min: 1 }),
  leaseTransitions: integer({ doc: 'How often the holder changed.', min: 0 }),
  preferredHolder: string(),
  renewTime: microTime({ doc: 'When it was renewed last.' }),
  strategy: string(),
});
export type LeaseSpec = TypeOf<typeof leaseSpec>;

const schema = kindSchema(
  'io.k8s.api.coordination.v1.Lease',
  { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
  {
    spec: leaseSpec,
  },
  'Lease is a lock that its holder renews.',
);

export interface Lease extends ObjectOf<typeof schema> {}

export const lease = defineKind<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  isTracked: false,
  schema,
  columns: [
    nameColumn,
    { name: 'Holder', doc: 'Who holds the lease.', value: (lease) => lease.spec?.holderIdentity ?? '' },
    ageColumn,
  ],
});
