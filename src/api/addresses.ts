import type { CertificateSigningRequest } from './kinds/certificateSigningRequest.ts';
import type { ConfigMap } from './kinds/configMap.ts';
import type { EndpointSlice } from './kinds/endpointSlice.ts';
import type { Event } from './kinds/event.ts';
import type { Lease } from './kinds/lease.ts';
import type { Node } from './kinds/node.ts';
import type { PersistentVolume } from './kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from './kinds/persistentVolumeClaim.ts';
import type { Pod } from './kinds/pod.ts';
import type { Secret } from './kinds/secret.ts';
import type { Service } from './kinds/service.ts';
import type { ServiceAccount } from './kinds/serviceAccount.ts';
import type { KindAddress, KubeObject } from './object.ts';

/*
 * Where the kinds that a node deals with are found, without their schemas: those are the server's business, and would
 * cost an agent 5 MB. A test holds these to what `kinds/` declares.
 */

export const configMap: KindAddress<ConfigMap> = inCore('ConfigMap', 'configmaps');
export const event: KindAddress<Event> = inCore('Event', 'events');
export const node: KindAddress<Node> = { ...inCore<Node>('Node', 'nodes'), namespaced: false };
export const persistentVolume: KindAddress<PersistentVolume> = {
  ...inCore<PersistentVolume>('PersistentVolume', 'persistentvolumes'),
  namespaced: false,
};
export const persistentVolumeClaim: KindAddress<PersistentVolumeClaim> = inCore(
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
);
export const pod: KindAddress<Pod> = inCore('Pod', 'pods');
export const secret: KindAddress<Secret> = inCore('Secret', 'secrets');
export const service: KindAddress<Service> = inCore('Service', 'services');
export const serviceAccount: KindAddress<ServiceAccount> = inCore('ServiceAccount', 'serviceaccounts');

export const certificateSigningRequest: KindAddress<CertificateSigningRequest> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  namespaced: false,
};

export const endpointSlice: KindAddress<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};

export const lease: KindAddress<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

function inCore<T extends KubeObject>(kind: string, plural: string): KindAddress<T> {
  return { group: '', version: 'v1', kind, plural, namespaced: true };
}
