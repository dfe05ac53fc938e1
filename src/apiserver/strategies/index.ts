import { restrictNode } from '../authorization/node-restriction.ts';
import { AddressPool } from './address-pool.ts';
import { certificateSigningRequestStrategy } from './certificate-signing-request.ts';
import { jobStrategy } from './job.ts';
import { namespaceStrategy } from './namespace.ts';
import { podStrategy } from './pod.ts';
import { PortPool } from './port-pool.ts';
import { adoptService, createServiceStrategy } from './service.ts';
import { type AccountOf, withServiceAccount } from './service-account-mount.ts';
import type { Strategy } from './strategy.ts';

export interface Strategies {
  /** By `plural` or `plural.group`; kinds without one need none. */
  byResource: ReadonlyMap<string, Strategy>;
  /** Marks what a stored Service holds as taken; called for each at the start. */
  adoptService(service: object): void;
}

/** Pods get their service account's token where `accountOf` is given. */
export function createStrategies(
  serviceCidr: string,
  { more = [], accountOf }: { more?: readonly [string, Strategy][]; accountOf?: AccountOf } = {},
): Strategies {
  const pools = { addresses: new AddressPool(serviceCidr), ports: new PortPool() };
  const byResource = new Map<string, Strategy>([
    ['namespaces', namespaceStrategy],
    ['nodes', { admit: restrictNode } as Strategy],
    ['pods', (accountOf ? withServiceAccount(podStrategy, accountOf) : podStrategy) as Strategy],
    ['jobs.batch', jobStrategy],
    ['services', createServiceStrategy(pools)],
    ['certificatesigningrequests.certificates.k8s.io', certificateSigningRequestStrategy],
    ['leases.coordination.k8s.io', { isCreatedOnUpdate: true }],
    ['events', { isCreatedOnUpdate: true }],
    ['events.events.k8s.io', { isCreatedOnUpdate: true }],
    ...more,
  ]);
  return { byResource, adoptService: (service) => adoptService(pools, service) };
}
