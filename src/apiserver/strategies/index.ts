import { AddressPool } from './address-pool.ts';
import { certificateSigningRequestStrategy } from './certificate-signing-request.ts';
import { jobStrategy } from './job.ts';
import { namespaceStrategy } from './namespace.ts';
import { podStrategy } from './pod.ts';
import { PortPool } from './port-pool.ts';
import { adoptService, createServiceStrategy } from './service.ts';
import type { Strategy } from './strategy.ts';

export interface Strategies {
  /** By `plural` or `plural.group`; kinds without one need none. */
  byResource: ReadonlyMap<string, Strategy>;
  /** Marks what a stored Service holds as taken; called for each at the start. */
  adoptService(service: object): void;
}

export function createStrategies(serviceCidr: string): Strategies {
  const pools = { addresses: new AddressPool(serviceCidr), ports: new PortPool() };
  const byResource = new Map<string, Strategy>([
    ['namespaces', namespaceStrategy],
    ['pods', podStrategy],
    ['jobs.batch', jobStrategy],
    ['services', createServiceStrategy(pools)],
    ['certificatesigningrequests.certificates.k8s.io', certificateSigningRequestStrategy],
    ['leases.coordination.k8s.io', { isCreatedOnUpdate: true }],
    ['events', { isCreatedOnUpdate: true }],
  ]);
  return { byResource, adoptService: (service) => adoptService(pools, service) };
}
