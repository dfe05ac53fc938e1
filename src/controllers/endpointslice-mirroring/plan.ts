import { isIPv6 } from 'node:net';
import { isEqualSemantically } from '../../api/equal.ts';
import type { Endpoint, EndpointSlice } from '../../api/kinds/endpointSlice.ts';
import {
  type EndpointAddress,
  type EndpointSubset,
  type Endpoints,
  endpoints as endpointsKind,
} from '../../api/kinds/endpoints.ts';
import { managedByLabel, serviceNameLabel } from '../endpointslice/plan.ts';
import { controllerReference } from '../owner.ts';

export const mirroredBy = 'endpointslicemirroring-controller.k8s.io';
export const skipMirrorLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
/** Of one subset no more addresses than this are mirrored (Kubernetes has the same bound). */
export const subsetAddressesMax = 1000;

const unmirroredAnnotations = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'endpoints.kubernetes.io/last-change-trigger-time',
];

/** Whether somebody who writes Endpoints wants them mirrored: leader elections and whoever says so do not. */
export function isMirrored({ metadata }: Endpoints): boolean {
  return (
    metadata?.labels?.[skipMirrorLabel] !== 'true' && metadata?.annotations?.[leaderAnnotation] === undefined
  );
}

export interface MirrorPlan {
  create: EndpointSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
}

/** Pure: one slice for the addresses of each family in each subset; `slices` are those that we made of it before. */
export function plan(endpoints: Endpoints, slices: readonly EndpointSlice[]): MirrorPlan {
  const wanted = (endpoints.subsets ?? []).flatMap((subset) => slicesOf(endpoints, subset));
  const left = slices.filter(({ metadata }) => !metadata?.deletionTimestamp);
  const result: MirrorPlan = { create: [], update: [], delete: [] };
  for (const slice of wanted) {
    const at = left.findIndex((one) =>
      isEqualSemantically([one.ports, one.addressType], [slice.ports, slice.addressType]),
    );
    const [present] = at < 0 ? [] : left.splice(at, 1);
    if (!present) result.create.push(slice);
    else {
      const { generateName: _, ...metadata } = slice.metadata!;
      const next = { ...present, ...slice, metadata: { ...present.metadata, ...metadata } };
      if (!isEqualSemantically(next, present)) result.update.push(next);
    }
  }
  result.delete.push(...left);
  return result;
}

function slicesOf(
  endpoints: Endpoints,
  { addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset,
): EndpointSlice[] {
  const all = [
    ...addresses.map((address) => ({ address, ready: true })),
    ...notReadyAddresses.map((address) => ({ address, ready: false })),
  ].slice(0, subsetAddressesMax);
  return (['IPv4', 'IPv6'] as const).flatMap((addressType) => {
    const members = all.filter(({ address }) => isIPv6(address.ip) === (addressType === 'IPv6'));
    if (members.length === 0) return [];
    const slice: EndpointSlice = {
      ...headOf(endpoints),
      addressType,
      endpoints: members.map(({ address, ready }) => endpointOf(address, ready)),
      ports: ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
        name,
        port,
        protocol,
        ...(appProtocol && { appProtocol }),
      })),
    };
    return [slice];
  });
}

function headOf(endpoints: Endpoints): Pick<EndpointSlice, 'apiVersion' | 'kind' | 'metadata'> {
  const { name = '', namespace = '', labels, annotations = {} } = endpoints.metadata ?? {};
  const kept = Object.entries(annotations).filter(([key]) => !unmirroredAnnotations.includes(key));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: mirroredBy },
      ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
      ownerReferences: [controllerReference(endpointsKind, endpoints)],
    },
  };
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  };
}
