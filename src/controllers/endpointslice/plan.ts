import { isEqualSemantically } from '../../api/equal.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/kinds/endpointSlice.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { type Service, service as serviceKind } from '../../api/kinds/service.ts';
import { meshAddressAnnotation, meshAddressesAnnotation, meshAddressesText } from '../../mesh/compile.ts';
import { controllerReference } from '../owner.ts';
import { endpointOf, portsFor } from './endpoint.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
export const serviceAccountsAnnotation = 'selvage.dev/service-accounts';
/** A change of one pod sends one slice to every node, so a slice must stay small. */
export const sliceEndpointsMax = 100;

export interface EndpointSliceState {
  service: Service;
  /** Those that the Service selects. */
  pods: readonly Pod[];
  nodeOf: (name: string) => Node | undefined;
  /** Those of this Service that we made. */
  slices: readonly EndpointSlice[];
}

export interface EndpointSlicePlan {
  create: EndpointSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
}

interface Member {
  endpoint: Endpoint;
  serviceAccount: string;
}

/** Pods with the same port numbers share slices; each endpoint stays in the slice that it is in. */
export function plan(state: EndpointSliceState): EndpointSlicePlan {
  const groups = groupByPorts(state);
  const result: EndpointSlicePlan = { create: [], update: [], delete: [] };
  const unused: EndpointSlice[] = [];
  const slicesOf = new Map<string, EndpointSlice[]>();
  for (const slice of state.slices) {
    if (slice.metadata?.deletionTimestamp) continue;
    const key = JSON.stringify(slice.ports ?? []);
    if (groups.has(key)) slicesOf.set(key, [...(slicesOf.get(key) ?? []), slice]);
    else unused.push(slice);
  }
  for (const [key, { ports, members }] of groups) {
    fillSlices(state, ports, members, slicesOf.get(key) ?? [], result);
  }
  // A Service without pods has an empty slice, also one that has lost its last pod and will get one again.
  const [spare, ...surplus] = unused;
  result.delete.push(...surplus);
  if (spare && groups.size > 0) result.delete.push(spare);
  else if (spare) addIfChanged(result, spare, compose(state, spare.ports ?? [], [], spare));
  else if (groups.size === 0) result.create.push(compose(state, [], []));
  return recycled(result);
}

/** A slice that would go becomes one that would be made, so that nobody ever sees one too many or too few. */
function recycled({ create, update, delete: gone }: EndpointSlicePlan): EndpointSlicePlan {
  const count = Math.min(create.length, gone.length);
  const reused = create.slice(0, count).map((made, at) => ({
    ...made,
    metadata: { ...gone[at]!.metadata, ...made.metadata, name: gone[at]!.metadata?.name ?? '' },
  }));
  return { create: create.slice(count), update: [...update, ...reused], delete: gone.slice(count) };
}

function groupByPorts({ service, pods, nodeOf }: EndpointSliceState) {
  const groups = new Map<string, { ports: EndpointPort[]; members: Map<string, Member> }>();
  const byName = [...pods].sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
  for (const pod of byName) {
    const endpoint = endpointOf(pod, service, nodeOf);
    if (!endpoint || !(isOnNode(pod, nodeOf) || service.spec?.publishNotReadyAddresses)) continue;
    const ports = portsFor(pod, service);
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, members: new Map<string, Member>() };
    const serviceAccount = pod.spec?.serviceAccountName ?? 'default';
    group.members.set(pod.metadata?.uid ?? '', { endpoint, serviceAccount });
    groups.set(key, group);
  }
  return groups;
}

/** A pod whose node is not known, or no more, gets nothing: it is about to go. */
function isOnNode({ spec }: Pod, nodeOf: EndpointSliceState['nodeOf']): boolean {
  return !spec?.nodeName || nodeOf(spec.nodeName) !== undefined;
}

interface Kept {
  slice: EndpointSlice;
  members: Member[];
  /** Whether it must be written anyway. */
  isTouched: boolean;
}

/**
 * Keeps endpoints where they are, and touches as few slices as it can: new endpoints fill those that are written
 * anyway, the fullest first; the rest goes into the one untouched slice that it fits into best, else into new ones.
 */
function fillSlices(
  state: EndpointSliceState,
  ports: readonly EndpointPort[],
  members: ReadonlyMap<string, Member>,
  slices: readonly EndpointSlice[],
  result: EndpointSlicePlan,
): void {
  const kept = keepInPlace(members, slices);
  const placed = new Set(kept.flatMap((each) => each.members));
  const homeless = [...members.values()].filter((member) => !placed.has(member));
  const touched = kept.filter(({ isTouched }) => isTouched);
  touched.sort((a, b) => b.members.length - a.members.length);
  for (const each of touched) {
    each.members.push(...homeless.splice(0, Math.max(0, sliceEndpointsMax - each.members.length)));
  }
  while (homeless.length > 0) {
    const roomy = closestFit(kept, homeless.length);
    if (roomy) roomy.members.push(...homeless.splice(0));
    else result.create.push(compose(state, ports, homeless.splice(0, sliceEndpointsMax)));
  }
  for (const { slice, members: stay } of kept) {
    if (stay.length === 0) result.delete.push(slice);
    else addIfChanged(result, slice, compose(state, ports, stay, slice));
  }
}

/** The endpoints that are in slices already and still wanted, each once. */
function keepInPlace(members: ReadonlyMap<string, Member>, slices: readonly EndpointSlice[]): Kept[] {
  const placed = new Set<string>();
  return slices.map((slice) => {
    const stay: Member[] = [];
    let isTouched = false;
    for (const endpoint of slice.endpoints) {
      const uid = endpoint.targetRef?.uid ?? '';
      const member = members.get(uid);
      isTouched ||= !member || placed.has(uid) || !isSameEndpoint(endpoint, member.endpoint);
      if (!member || placed.has(uid)) continue;
      placed.add(uid);
      stay.push(member);
    }
    return { slice, members: stay, isTouched };
  });
}

/** Apart from hints, which follow from the rest. */
function isSameEndpoint({ hints: _, ...a }: Endpoint, { hints: __, ...b }: Endpoint): boolean {
  return isEqualSemantically(a, b);
}

/** The untouched slice that is fullest once it takes all of them. */
function closestFit(kept: readonly Kept[], count: number): Kept | undefined {
  const roomy = kept.filter(
    ({ isTouched, members }) =>
      !isTouched && members.length > 0 && members.length + count <= sliceEndpointsMax,
  );
  return roomy.sort((a, b) => b.members.length - a.members.length)[0];
}

function addIfChanged(result: EndpointSlicePlan, slice: EndpointSlice, next: EndpointSlice): void {
  if (!isEqualSemantically(slice, next)) result.update.push(next);
}

function compose(
  { service, nodeOf }: EndpointSliceState,
  ports: readonly EndpointPort[],
  members: readonly Member[],
  slice?: EndpointSlice,
): EndpointSlice {
  const { name = '', namespace = '', labels } = service.metadata ?? {};
  const accounts = [...new Set(members.map(({ serviceAccount }) => serviceAccount))].sort().join(',');
  return {
    ...slice,
    metadata: {
      ...(slice?.metadata ?? { generateName: `${name}-`, namespace }),
      labels: {
        ...labels,
        [serviceNameLabel]: name,
        [managedByLabel]: managedBy,
        ...(service.spec?.clusterIP === 'None' && { [headlessLabel]: '' }),
      },
      annotations: {
        ...withoutAddresses(slice),
        [serviceAccountsAnnotation]: accounts,
        ...addressesOf(members, nodeOf),
      },
      ownerReferences: [controllerReference(serviceKind, service)],
    },
    addressType: 'IPv4',
    endpoints: members.map(({ endpoint }) => withHints(endpoint, service)),
    ports: [...ports],
  };
}

/** A Service that prefers what is close has its endpoints serve their own zone. */
function withHints(endpoint: Endpoint, { spec }: Service): Endpoint {
  const { zone, conditions } = endpoint;
  if (spec?.trafficDistribution === undefined || !zone || !conditions?.ready) return endpoint;
  return { ...endpoint, hints: { forZones: [{ name: zone }] } };
}

function withoutAddresses(slice: EndpointSlice | undefined): Record<string, string> {
  const { [meshAddressesAnnotation]: _, ...others } = slice?.metadata?.annotations ?? {};
  return others;
}

/** How agents reach the nodes of a slice, so that none of them has to follow all nodes. */
function addressesOf(
  members: readonly Member[],
  nodeOf: EndpointSliceState['nodeOf'],
): Record<string, string> {
  const addresses = new Map<string, string>();
  for (const { endpoint } of members) {
    const node = endpoint.nodeName && !addresses.has(endpoint.nodeName) ? endpoint.nodeName : undefined;
    const address = node && nodeOf(node)?.metadata?.annotations?.[meshAddressAnnotation];
    if (address) addresses.set(node, address);
  }
  return addresses.size > 0 ? { [meshAddressesAnnotation]: meshAddressesText(addresses) } : {};
}
