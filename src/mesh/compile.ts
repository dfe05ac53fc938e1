import { createHash } from 'node:crypto';
import type { ObjectMeta } from '../api/object.ts';
import type { Endpoint, Route, RoutePath, RouteShare, RouteTable } from './route-table.ts';

/** The parts of a core/v1 Service that routing reads. */
export interface ServiceInput {
  metadata?: ObjectMeta;
  spec?: {
    type?: string;
    clusterIP?: string;
    clusterIPs?: string[];
    externalName?: string;
    sessionAffinity?: string;
    internalTrafficPolicy?: string;
    trafficDistribution?: string;
    ports?: { name?: string; port: number; protocol?: string }[];
  };
}

/** The parts of a discovery.k8s.io/v1 EndpointSlice that routing reads. */
export interface EndpointSliceInput {
  metadata?: ObjectMeta;
  addressType?: string;
  endpoints?: {
    addresses: string[];
    hostname?: string;
    nodeName?: string;
    zone?: string;
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  }[];
  ports?: { name?: string; port?: number; protocol?: string }[];
}

/** The parts of a core/v1 Node that routing reads. */
export interface NodeInput {
  metadata?: ObjectMeta;
}

export const meshAddressAnnotation = 'selvage.dev/mesh-address';
/** Of an EndpointSlice: the mesh addresses of its nodes, as `node-a=10.0.0.1:7000,node-b=10.0.0.2:7000`. */
export const meshAddressesAnnotation = 'selvage.dev/mesh-addresses';
export const serviceAccountsAnnotation = 'selvage.dev/service-accounts';
/** Shares of a Service's requests, as JSON: `[{"service": "a", "percent": 90}, {"service": "b", "percent": 10}]`. */
export const splitAnnotation = 'selvage.dev/traffic-split';
/** Where requests of some paths go instead, as JSON: `[{"suffix": ":explain", "service": "a"}]`. */
export const pathsAnnotation = 'selvage.dev/path-routes';
/** How many seconds a request waits for a first endpoint. */
export const holdAnnotation = 'selvage.dev/hold-seconds';
/** Nobody waits longer, whatever the annotation says. */
export const holdSecondsMax = 300;
const sharesMax = 16;
const zoneLabel = 'topology.kubernetes.io/zone';
const serviceNameLabel = 'kubernetes.io/service-name';

/** Compiles the cluster's Services, as seen from `node`, into one table; the same input gives the same version. */
export function compileRoutes(cluster: {
  services: ServiceInput[];
  endpointSlices: EndpointSliceInput[];
  /** The node that will use the table, and those that slices do not say how to reach. */
  nodes: NodeInput[];
  /** The name of the node that will use the table. */
  node: string;
  trustDomain?: string;
}): RouteTable {
  const nodes = new Map(cluster.nodes.map((node) => [node.metadata?.name ?? '', node]));
  const slices = Map.groupBy(
    cluster.endpointSlices,
    (slice) => `${slice.metadata?.namespace}/${slice.metadata?.labels?.[serviceNameLabel]}`,
  );
  const view = { nodes, node: cluster.node, trustDomain: cluster.trustDomain ?? 'cluster.local' };
  const routes = cluster.services
    .filter((service) => service.spec?.type !== 'ExternalName')
    .map((service) =>
      compileService(
        service,
        slices.get(`${service.metadata?.namespace}/${service.metadata?.name}`) ?? [],
        view,
      ),
    )
    .sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
  const node = { name: cluster.node, zone: nodes.get(cluster.node)?.metadata?.labels?.[zoneLabel] ?? '' };
  const externalNames = cluster.services.flatMap(externalNameOf);
  const content = { node, routes, ...(externalNames.length > 0 && { externalNames }) };
  const version = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
  return { version, ...content };
}

/**
 * The nodes other than `node` on which slices have endpoints, where whoever made the slice knows nothing of the mesh: our
 * own controller says of each node how to reach it, as soon as there is a way.
 */
export function nodesWithoutAddress(slices: readonly EndpointSliceInput[], node: string): Set<string> {
  const names = new Set<string>();
  for (const slice of slices) {
    if (slice.metadata?.annotations?.[serviceAccountsAnnotation] !== undefined) continue;
    for (const { nodeName } of slice.endpoints ?? []) if (nodeName && nodeName !== node) names.add(nodeName);
  }
  return names;
}

/** How an EndpointSlice says how to reach its nodes. */
export function meshAddressesText(addresses: ReadonlyMap<string, string>): string {
  return [...addresses]
    .sort(([a], [b]) => compareText(a, b))
    .map(([node, address]) => `${node}=${address}`)
    .join(',');
}

function meshAddressesOf({ metadata }: EndpointSliceInput): Map<string, string> {
  const text = metadata?.annotations?.[meshAddressesAnnotation];
  if (!text) return new Map();
  return new Map(
    text.split(',').flatMap((entry): [string, string][] => {
      const at = entry.indexOf('=');
      return at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)]] : [];
    }),
  );
}

function externalNameOf({
  metadata,
  spec,
}: ServiceInput): { namespace: string; name: string; host: string }[] {
  if (spec?.type !== 'ExternalName' || !spec.externalName) return [];
  const { namespace = '', name = '' } = metadata ?? {};
  return [{ namespace, name, host: spec.externalName.replace(/\.$/, '') }];
}

interface View {
  nodes: Map<string, NodeInput>;
  node: string;
  trustDomain: string;
}

function compileService(service: ServiceInput, slices: EndpointSliceInput[], view: View): Route {
  const spec = service.spec ?? {};
  const clusterIPs = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  const distribution = spec.trafficDistribution ?? '';
  const annotations = service.metadata?.annotations ?? {};
  const split = splitOf(annotations[splitAnnotation]);
  const paths = pathsOf(annotations[pathsAnnotation]);
  const holdSeconds = Math.min(holdSecondsMax, Number(annotations[holdAnnotation] ?? 0));
  return {
    namespace: service.metadata?.namespace ?? '',
    name: service.metadata?.name ?? '',
    clusterIPs: clusterIPs.filter((ip) => ip !== 'None' && ip !== ''),
    preferClose: ['PreferClose', 'PreferSameZone', 'PreferSameNode'].includes(distribution),
    localOnly: spec.internalTrafficPolicy === 'Local',
    ...(spec.sessionAffinity === 'ClientIP' && { isSticky: true as const }),
    ...(split.length > 0 && { split }),
    ...(paths.length > 0 && { paths }),
    ...(holdSeconds > 0 && { holdSeconds }),
    ports: (spec.ports ?? [])
      .filter((port) => (port.protocol ?? 'TCP') === 'TCP')
      .map((port) => ({
        name: port.name ?? '',
        port: port.port,
        endpoints: slices
          .flatMap((slice) => endpointsOf(slice, port.name ?? '', view))
          .sort(compareEndpoints),
      })),
  };
}

function splitOf(text: string | undefined): RouteShare[] {
  return itemsOf<RouteShare>(text, ({ percent }) => Number.isFinite(percent) && percent! > 0).map(
    ({ service, percent }) => ({ service, percent }),
  );
}

function pathsOf(text: string | undefined): RoutePath[] {
  return itemsOf<RoutePath>(text, ({ suffix }) => typeof suffix === 'string' && suffix !== '').map(
    ({ suffix, service }) => ({ suffix, service }),
  );
}

/** Anybody who may write the Service writes the annotation: what is no list of such items is none. */
function itemsOf<T extends { service: string }>(
  text: string | undefined,
  isWhole: (item: Partial<T>) => boolean,
): T[] {
  if (text === undefined) return [];
  try {
    const items = JSON.parse(text) as Partial<T>[];
    // What is left has been looked at.
    return items
      .filter((each) => typeof each.service === 'string' && isWhole(each))
      .slice(0, sharesMax) as T[];
  } catch {
    return [];
  }
}

/** As kube-proxy does: ready endpoints, or, if there is none, those that still serve while they terminate. */
function endpointsOf(slice: EndpointSliceInput, portName: string, view: View): Endpoint[] {
  const port = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
  if (port === undefined || slice.addressType === 'FQDN') return [];
  const all = slice.endpoints ?? [];
  const ready = all.filter(({ conditions }) => conditions?.ready !== false);
  const usable =
    ready.length > 0 ? ready : all.filter(({ conditions }) => conditions?.serving && conditions.terminating);
  const spiffeIds = (slice.metadata?.annotations?.[serviceAccountsAnnotation] ?? '')
    .split(',')
    .map((account) => account.trim())
    .filter((account) => account !== '')
    .map((account) => `spiffe://${view.trustDomain}/ns/${slice.metadata?.namespace}/sa/${account}`);
  const addresses = meshAddressesOf(slice);
  return usable.flatMap((endpoint) => {
    const ip = endpoint.addresses[0];
    if (ip === undefined) return [];
    const node = endpoint.nodeName ?? '';
    const nodeMeta = view.nodes.get(node)?.metadata;
    const isLocal = node === view.node;
    const meshAddress = isLocal
      ? undefined
      : (addresses.get(node) ?? nodeMeta?.annotations?.[meshAddressAnnotation]);
    return [
      {
        ip,
        port,
        ...(endpoint.hostname && { hostname: endpoint.hostname }),
        node,
        zone: endpoint.zone ?? nodeMeta?.labels?.[zoneLabel] ?? '',
        isLocal,
        ...(meshAddress !== undefined && { meshAddress }),
        spiffeIds,
      },
    ];
  });
}

function compareEndpoints(a: Endpoint, b: Endpoint): number {
  return compareText(a.ip, b.ip) || a.port - b.port;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
