import { restrictNode } from '../authorization/node-restriction.ts';
import { AddressPool } from './address-pool.ts';
import { certificateSigningRequestStrategy } from './certificate-signing-request.ts';
import { daemonSetStrategy } from './daemon-set.ts';
import { jobStrategy } from './job.ts';
import { namespaceStrategy } from './namespace.ts';
import { podStrategy } from './pod.ts';
import { PortPool } from './port-pool.ts';
import { priorityClassStrategy } from './priority-class.ts';
import { adoptService, createServiceStrategy } from './service.ts';
import type { Strategy } from './strategy.ts';

/** Their deletion is answered with the object. */
const answeredWithObject = [
  'persistentvolumeclaims',
  'podtemplates',
  'resourcequotas',
  'serviceaccounts',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'storageclasses.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
];

export interface Strategies {
  /** By `plural` or `plural.group`; kinds without one need none. */
  byResource: ReadonlyMap<string, Strategy>;
  /** Marks what a stored Service holds as taken; called for each at the start. */
  adoptService(service: object): void;
}

export function createStrategies(
  serviceCidr: string,
  { more = [] }: { more?: readonly [string, Strategy][] } = {},
): Strategies {
  const pools = { addresses: new AddressPool(serviceCidr), ports: new PortPool() };
  const byResource = new Map<string, Strategy>([
    ['namespaces', namespaceStrategy],
    ['nodes', { admit: restrictNode } as Strategy],
    ['pods', podStrategy as Strategy],
    ['jobs.batch', jobStrategy],
    ['services', createServiceStrategy(pools)],
    ['certificatesigningrequests.certificates.k8s.io', certificateSigningRequestStrategy],
    ['priorityclasses.scheduling.k8s.io', priorityClassStrategy as Strategy],
    ...answeredWithObject.map((resource): [string, Strategy] => [
      resource,
      { answersDeleteWithObject: true },
    ]),
    ['replicationcontrollers', { orphansByDefault: true }],
    ['daemonsets.apps', daemonSetStrategy as Strategy],
    ['leases.coordination.k8s.io', { isCreatedOnUpdate: true }],
    ['events', { isCreatedOnUpdate: true }],
    ['events.events.k8s.io', { isCreatedOnUpdate: true }],
    ...more,
  ]);
  return { byResource, adoptService: (service) => adoptService(pools, service) };
}
