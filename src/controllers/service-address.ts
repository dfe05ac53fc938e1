import { type EndpointSlice, endpointSlice as endpointSliceKind } from '../api/kinds/endpointSlice.ts';
import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Service, service as serviceKind } from '../api/kinds/service.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { isReady } from '../scheduler/taints.ts';
import { type Context, runController, source } from './controller.ts';
import { keyOfMeta } from './owner.ts';
import { writeStatus } from './write-status.ts';

export const loadBalancerNode = 'selvage.dev/load-balancer-node';
export const loadBalancerIp = 'selvage.dev/load-balancer-ip';
/** Written by the node where another port than the Service's had to be taken. */
const loadBalancerAddress = 'selvage.dev/load-balancer-address';
const controlPlaneLabel = 'node-role.kubernetes.io/control-plane';

export interface AddressState {
  service: Service;
  nodes: readonly Node[];
  /** Names of the nodes with ready pods of it. */
  serving?: ReadonlySet<string>;
  /** Addresses of the other Services. */
  taken: ReadonlySet<string>;
}

export interface AddressPlan {
  /** Annotations to set, or with null to remove. Empty when all is well. */
  annotations: Record<string, string | null>;
  /** The address that users were told is no longer served. */
  clearStatus: boolean;
  /** Nothing could be assigned: why. */
  problem?: string;
}

/** Which node listens for a LoadBalancer Service, and on which loopback address. */
export function plan({ service, nodes, serving, taken }: AddressState): AddressPlan {
  const annotations = service.metadata?.annotations ?? {};
  const { type, loadBalancerClass, loadBalancerIP } = service.spec ?? {};
  const isOurs = type === 'LoadBalancer' && !loadBalancerClass && !service.metadata?.deletionTimestamp;
  if (!isOurs) {
    const given = [loadBalancerNode, loadBalancerIp, loadBalancerAddress].filter(
      (name) => name in annotations,
    );
    const gone = Object.fromEntries(given.map((name) => [name, null]));
    return { annotations: gone, clearStatus: given.length > 0 };
  }
  const currentNode = annotations[loadBalancerNode];
  // Where traffic stays on the node that it met, that must be one that can answer.
  const isLocal = service.spec?.externalTrafficPolicy === 'Local';
  const able = nodes.filter(({ metadata }) => isLocal && serving?.has(metadata?.name ?? ''));
  const node = chooseNode(able.some(isReady) ? able : nodes, currentNode);
  if (!node) return { annotations: {}, clearStatus: false, problem: 'no node is ready to listen for it' };
  const currentIp = annotations[loadBalancerIp];
  const ip = chooseIp(taken, currentIp, loadBalancerIP);
  if (!ip)
    return { annotations: {}, clearStatus: false, problem: 'all addresses of 127.42.0.0/16 are taken' };
  const isMoved = node !== currentNode || ip !== currentIp;
  return {
    annotations: {
      ...(node !== currentNode && { [loadBalancerNode]: node }),
      ...(ip !== currentIp && { [loadBalancerIp]: ip }),
      ...(isMoved && loadBalancerAddress in annotations && { [loadBalancerAddress]: null }),
    },
    clearStatus: isMoved,
  };
}

/** The node that has it keeps it while it is ready; else a control plane's node, else the first by name. */
function chooseNode(nodes: readonly Node[], current: string | undefined): string | undefined {
  const ready = nodes.filter((node) => isReady(node) && !node.metadata?.deletionTimestamp);
  const names = ready.map(({ metadata }) => metadata?.name ?? '').sort();
  if (current !== undefined && names.includes(current)) return current;
  const preferred = ready.filter(({ metadata }) => controlPlaneLabel in (metadata?.labels ?? {}));
  const [first] = preferred.map(({ metadata }) => metadata?.name ?? '').sort();
  // Nobody is ready: better the old node, which may come back, than none.
  return first ?? names[0] ?? nodes.find(({ metadata }) => metadata?.name === current)?.metadata?.name;
}

function chooseIp(
  taken: ReadonlySet<string>,
  current: string | undefined,
  wanted: string | undefined,
): string | undefined {
  if (wanted && isPoolIp(wanted) && !taken.has(wanted)) return wanted;
  if (current && isPoolIp(current) && !taken.has(current)) return current;
  for (let n = 1; n < 2 ** 16 - 1; n++) {
    const ip = `127.42.${n >> 8}.${n & 255}`;
    if (!taken.has(ip)) return ip;
  }
  return undefined;
}

function isPoolIp(ip: string): boolean {
  const parts = /^127\.42\.(\d{1,3})\.(\d{1,3})$/.exec(ip);
  return parts !== null && Number(parts[1]) < 256 && Number(parts[2]) < 256;
}

function serviceKeyOf({ metadata }: EndpointSlice): string {
  return `${metadata?.namespace}/${metadata?.labels?.['kubernetes.io/service-name'] ?? ''}`;
}

function nodesOf(key: string, slices: readonly EndpointSlice[]): Set<string> {
  const own = slices
    .filter((slice) => serviceKeyOf(slice) === key)
    .flatMap(({ endpoints = [] }) => endpoints);
  return new Set(own.flatMap(({ conditions, nodeName }) => (conditions?.ready !== false && nodeName) || []));
}

/** Gives LoadBalancer Services an address that this machine can bind, and a node that does it. */
export function run(context: Context): Running {
  const { client, informers } = context;
  const [services, nodes] = [informers.of(serviceKind), informers.of(nodeKind)];
  const slices = informers.of(endpointSliceKind);
  const events = context.recorder('service-address-controller');
  /** Addresses given out by us, which the cache may not have seen yet. */
  const given = new Map<string, string>();

  const all = () => services.list().filter(({ spec }) => spec?.type === 'LoadBalancer');
  const keysForNode = (change: Change<Node>): string[] => {
    const before = change.type === 'modified' ? change.previous : undefined;
    const isNews = change.type !== 'modified' || isReady(change.object) !== isReady(before!);
    return isNews ? all().map(keyOf) : [];
  };

  const keysForSlice = ({ object }: Change<EndpointSlice>): string[] => {
    const key = serviceKeyOf(object);
    return services.get(key)?.spec?.externalTrafficPolicy === 'Local' ? [key] : [];
  };

  async function reconcile(key: string): Promise<undefined> {
    const service = services.get(key);
    if (!service) {
      given.delete(key);
      return;
    }
    const taken = new Set<string>();
    for (const other of all()) {
      const otherKey = keyOf(other);
      const ip = given.get(otherKey) ?? other.metadata?.annotations?.[loadBalancerIp];
      if (otherKey !== key && ip) taken.add(ip);
    }
    const serving = nodesOf(key, slices.list());
    const state = { service, nodes: nodes.list(), serving, taken };
    const { annotations, clearStatus, problem } = plan(state);
    if (problem) {
      const subject = subjectOf(serviceKind, service);
      events.record(subject, 'Warning', 'NoLoadBalancerAddress', `No address yet: ${problem}`);
    }
    if (Object.keys(annotations).length === 0) return;
    const ip = annotations[loadBalancerIp];
    if (ip) given.set(key, ip);
    else if (ip === null) given.delete(key);
    const body = { metadata: { annotations, uid: service.metadata?.uid } };
    const patch = { type: 'merge', body } as const;
    const written = await client.patch(serviceKind, keyOfMeta(service.metadata ?? {}), patch);
    if (clearStatus && written.status?.loadBalancer?.ingress?.length) {
      await writeStatus(client, serviceKind, written, { ...written.status, loadBalancer: {} });
    }
  }

  return runController(context, {
    name: 'service-address',
    sources: [
      source(serviceKind, ({ key }) => [key]),
      source(nodeKind, keysForNode),
      source(endpointSliceKind, keysForSlice),
    ],
    reconcile,
    // Two at once could take the same address.
    concurrency: 1,
  });
}
