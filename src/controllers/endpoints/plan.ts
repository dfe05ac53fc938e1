import { isEqualSemantically } from '../../api/equal.ts';
import type {
  CoreEndpointPort,
  EndpointAddress,
  EndpointSubset,
  Endpoints,
} from '../../api/kinds/endpoints.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Service } from '../../api/kinds/service.ts';
import { hasPodEnded } from '../../api/pod-ended.ts';
import { portsFor } from '../endpointslice/endpoint.ts';
import { withTriggerTime } from '../endpointslice/trigger-times.ts';
import { isPodReady } from '../pods.ts';

/** More addresses than this are not listed; an annotation says so. EndpointSlices have them all. */
export const addressesMax = 1000;
export const overCapacityAnnotation = 'endpoints.kubernetes.io/over-capacity';
const headlessLabel = 'service.kubernetes.io/headless';

/** Pure: the Endpoints of a Service with a selector; undefined where `present` says so already. */
export function plan(state: {
  service: Service;
  /** Those that the Service selects. */
  pods: readonly Pod[];
  present: Endpoints | undefined;
  /** When what changes them happened, RFC 3339, as far as it says so. */
  triggerTime: string | undefined;
}): Endpoints | undefined {
  const { service, pods, present, triggerTime } = state;
  const { subsets, isTruncated } = truncated(subsetsOf(service, pods));
  const labels = { ...service.metadata?.labels };
  delete labels[headlessLabel];
  if (service.spec?.clusterIP === 'None') labels[headlessLabel] = '';
  const kept = { ...present?.metadata?.annotations };
  const isAnnotated = (kept[overCapacityAnnotation] === 'truncated') === isTruncated;
  const isSame =
    present !== undefined &&
    isAnnotated &&
    isEqualSemantically(present.subsets ?? [], subsets) &&
    isEqualSemantically(present.metadata?.labels ?? {}, labels);
  if (isSame) return undefined;
  if (isTruncated) kept[overCapacityAnnotation] = 'truncated';
  else delete kept[overCapacityAnnotation];
  const { name, namespace } = service.metadata ?? {};
  return {
    ...present,
    metadata: {
      ...(present?.metadata ?? { name: name!, namespace: namespace! }),
      labels,
      annotations: withTriggerTime(kept, triggerTime),
    },
    subsets,
  };
}

/** Addresses with the same ports stand together, in the order of their ports. */
export function subsetsOf(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const found = new Map<
    string,
    { ports: CoreEndpointPort[]; ready: EndpointAddress[]; unready: EndpointAddress[] }
  >();
  const showsUnready = service.spec?.publishNotReadyAddresses === true;
  for (const pod of [...pods].sort(byAddress)) {
    if (!pod.status?.podIP || hasPodEnded(pod)) continue;
    if (pod.metadata?.deletionTimestamp && !showsUnready) continue;
    const ports = portsFor(pod, service).map(toCorePort);
    if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue;
    const key = JSON.stringify(ports);
    const subset = found.get(key) ?? { ports, ready: [], unready: [] };
    found.set(key, subset);
    (showsUnready || isPodReady(pod) ? subset.ready : subset.unready).push(addressOf(pod, service));
  }
  return [...found.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, unready }]) => ({
      ...(ready.length > 0 && { addresses: ready }),
      ...(unready.length > 0 && { notReadyAddresses: unready }),
      ...(ports.length > 0 && { ports }),
    }));
}

function toCorePort({
  name,
  port,
  protocol,
  appProtocol,
}: {
  name?: string;
  port?: number;
  protocol?: CoreEndpointPort['protocol'];
  appProtocol?: string;
}): CoreEndpointPort {
  return {
    ...(name && { name }),
    port: port!,
    protocol: protocol ?? 'TCP',
    ...(appProtocol && { appProtocol }),
  };
}

function addressOf(pod: Pod, service: Service): EndpointAddress {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  const { hostname, subdomain, nodeName } = pod.spec ?? {};
  return {
    ip: pod.status!.podIP!,
    ...(hostname && subdomain === service.metadata?.name && { hostname }),
    ...(nodeName && { nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function byAddress(a: Pod, b: Pod): number {
  const [x, y] = [a.status?.podIP ?? '', b.status?.podIP ?? ''];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Ready addresses come before others; what does not fit is left out of every subset in proportion. */
export function truncated(subsets: readonly EndpointSubset[]): {
  subsets: EndpointSubset[];
  isTruncated: boolean;
} {
  const count = (field: 'addresses' | 'notReadyAddresses') =>
    subsets.reduce((total, subset) => total + (subset[field]?.length ?? 0), 0);
  const [ready, unready] = [count('addresses'), count('notReadyAddresses')];
  if (ready + unready <= addressesMax) return { subsets: [...subsets], isTruncated: false };
  const cutsReady = ready > addressesMax;
  const field = cutsReady ? 'addresses' : 'notReadyAddresses';
  const room = cutsReady ? addressesMax : addressesMax - ready;
  let left = room;
  const cut = subsets.map((subset) => {
    const own = subset[field] ?? [];
    const share = Math.min(left, Math.ceil((own.length / (cutsReady ? ready : unready)) * room));
    const kept = own.slice(0, share);
    left -= kept.length;
    const { notReadyAddresses: _, ...withoutUnready } = subset;
    const rest = cutsReady ? withoutUnready : subset;
    return { ...rest, [field]: kept };
  });
  return { subsets: cut.map(withoutEmpty).filter(isInhabited), isTruncated: true };
}

function withoutEmpty({ addresses, notReadyAddresses, ports }: EndpointSubset): EndpointSubset {
  return {
    ...(addresses?.length && { addresses }),
    ...(notReadyAddresses?.length && { notReadyAddresses }),
    ...(ports && { ports }),
  };
}

function isInhabited({ addresses, notReadyAddresses }: EndpointSubset): boolean {
  return Boolean(addresses ?? notReadyAddresses);
}
