import { type Balance, endpointKey } from './balance.ts';
import type { Endpoint, Route, RoutePort, RouteShare, RouteTable } from './route-table.ts';

/** What a caller asked for. */
export interface MeshRequest {
  /** As in a URL, without the port. */
  host: string;
  port: number;
  /** The caller's namespace, in which short names are looked up. */
  namespace: string;
  /** Of an HTTP request, where it is known before the connection is chosen. */
  path?: string;
  /** The client's address, by which a Service with session affinity knows it. */
  client?: string;
  /** Only endpoints of this node, whatever the Service says of calls from inside. */
  localOnly?: boolean;
}

export type Decision =
  | { kind: 'endpoint'; route: Route; endpoint: Endpoint }
  /** The host is no Service: what the pod may reach outside the mesh decides. */
  | { kind: 'outside'; host: string }
  /**
   * The host is a Service, but leads nowhere; `reason` is for a person. With `holds` an endpoint may come soon; with
   * `retryAfterSeconds` that was waited for already.
   */
  | { kind: 'refused'; reason: string; holds?: Route; retryAfterSeconds?: number };

/** Chooses where a request goes. `tried` are endpoint keys that already failed for this request. */
export function decide(
  table: RouteTable,
  request: MeshRequest,
  balance: Balance,
  tried?: ReadonlySet<string>,
): Decision {
  const route = findRoute(table, request.host, request.namespace);
  if (!route) return decideForPod(table, request) ?? decideForName(table, request, balance, tried);
  const instead = request.path && route.paths?.find(({ suffix }) => request.path!.endsWith(suffix));
  if (instead) {
    const { path: _path, ...rest } = request;
    return decide(table, { ...rest, host: `${instead.service}.${route.namespace}` }, balance, tried);
  }
  const routePort = route.ports.find(({ port }) => port === request.port);
  if (!routePort) return { kind: 'refused', reason: noPort(route, request.port) };
  const endpoint =
    pickShare(table, route, request, balance, tried) ??
    pickEndpoint(table, { route, routePort, request }, balance, tried);
  if (endpoint) return { kind: 'endpoint', route, endpoint };
  const what =
    tried && tried.size > 0 ? `no other ready endpoint after ${tried.size} failed` : 'no ready endpoints';
  const reason = `Service "${route.name}" in namespace "${route.namespace}" has ${what}`;
  return { kind: 'refused', reason, ...(route.holdSeconds && { holds: route }) };
}

/** An endpoint of the Service into whose share the request falls; of the next one with any, if that has none. */
function pickShare(
  table: RouteTable,
  { split = [], namespace, isSticky }: Route,
  request: MeshRequest,
  balance: Balance,
  tried: ReadonlySet<string> | undefined,
): Endpoint | undefined {
  let open: RouteShare[] = split;
  while (open.length > 0) {
    // With session affinity a client stays in its share, too.
    const drawn = isSticky && request.client ? hashOf(request.client) / 2 ** 32 : balance.draw();
    const chosen = shareAt(open, drawn);
    const route = indexOf(table).byName.get(`${namespace}/${chosen.service}`);
    const routePort = route?.ports.find(({ port }) => port === request.port);
    const endpoint = route && routePort && pickEndpoint(table, { route, routePort, request }, balance, tried);
    if (endpoint) return endpoint;
    open = open.filter((share) => share !== chosen);
  }
  return undefined;
}

/** The share that the number (from 0 to 1) falls into. */
function shareAt(shares: RouteShare[], at: number): RouteShare {
  const total = shares.reduce((sum, { percent }) => sum + percent, 0);
  let left = at * total;
  for (const share of shares) {
    left -= share.percent;
    if (left < 0) return share;
  }
  return shares.at(-1)!;
}

/** A name outside, or one that an ExternalName Service has given another one. */
function decideForName(
  table: RouteTable,
  request: MeshRequest,
  balance: Balance,
  tried: ReadonlySet<string> | undefined,
): Decision {
  const { host, namespace } = request;
  const target = table.externalNames?.find((each) => isNamed(each, host, namespace))?.host;
  if (target === undefined) return { kind: 'outside', host };
  const isService = findRoute(table, target, namespace) !== undefined;
  // One that stands for another that stands for a third is not followed further.
  return isService
    ? decide(table, { ...request, host: target }, balance, tried)
    : { kind: 'outside', host: target };
}

function isNamed(service: { namespace: string; name: string }, host: string, namespace: string): boolean {
  const [name, of = namespace, ...suffix] = host.toLowerCase().replace(/\.$/, '').split('.');
  const isLocalSuffix = ['', 'svc', 'svc.cluster.local'].includes(suffix.join('.'));
  return isLocalSuffix && name === service.name && of === service.namespace;
}

/** Where `hostname.svc` leads, and its longer forms: to one pod, by a port of the Service or of the pod itself. */
function decideForPod(table: RouteTable, { host, port, namespace }: MeshRequest): Decision | undefined {
  const [hostname = '', ...rest] = host.toLowerCase().split('.');
  const route = rest.length > 0 ? findRoute(table, rest.join('.'), namespace) : undefined;
  if (!route || route.clusterIPs.includes(rest.join('.'))) return undefined;
  const own = route.ports.flatMap((each) =>
    each.endpoints
      .filter((endpoint) => endpoint.hostname === hostname)
      .map((endpoint) => ({ endpoint, servicePort: each.port })),
  );
  const found =
    own.find(({ servicePort }) => servicePort === port) ?? own.find(({ endpoint }) => endpoint.port === port);
  if (found) return { kind: 'endpoint', route, endpoint: found.endpoint };
  const service = `Service "${route.name}" in namespace "${route.namespace}"`;
  if (own.length > 0) return { kind: 'refused', reason: noPort(route, port) };
  return { kind: 'refused', reason: `${service} has no ready endpoint with the host name "${hostname}"` };
}

/** The Service that `host` names for a caller in `namespace`: `svc`, `svc.ns`, `svc.ns.svc[.cluster.local]` or a cluster IP. */
export function findRoute(table: RouteTable, host: string, namespace: string): Route | undefined {
  const index = indexOf(table);
  const name = host.toLowerCase().replace(/\.$/, '');
  const byAddress = index.byAddress.get(name);
  if (byAddress) return byAddress;
  const labels = name.split('.');
  if (labels.length === 1) return index.byName.get(`${namespace}/${name}`);
  const suffix = labels.slice(2).join('.');
  if (suffix !== '' && suffix !== 'svc' && suffix !== 'svc.cluster.local') return undefined;
  return index.byName.get(`${labels[1]}/${labels[0]}`);
}

/** The endpoint with this address, if any Service leads to it. */
export function findEndpoint(table: RouteTable, ip: string, port: number): Endpoint | undefined {
  return indexOf(table).endpoints.get(`${ip}:${port}`);
}

function pickEndpoint(
  table: RouteTable,
  { route, routePort: { endpoints }, request }: { route: Route; routePort: RoutePort; request: MeshRequest },
  balance: Balance,
  tried: ReadonlySet<string> | undefined,
): Endpoint | undefined {
  const isLocalOnly = route.localOnly || request.localOnly === true;
  const pick = (from: Endpoint[]) =>
    route.isSticky && request.client ? stickyPick(from, request.client) : balance.pick(from);
  const untried = tried?.size ? endpoints.filter((endpoint) => !tried.has(endpointKey(endpoint))) : endpoints;
  const allowed = isLocalOnly ? untried.filter(({ isLocal }) => isLocal) : untried;
  const healthy = balance.hasEjected ? allowed.filter((endpoint) => !balance.isEjected(endpoint)) : allowed;
  for (const tier of route.preferClose ? nearestFirst(healthy, table.node.zone) : [healthy]) {
    if (tier.length > 0) return pick(tier);
  }
  // Everything failed lately: trying is better than refusing.
  return pick(allowed);
}

/** The endpoint with the highest hash together with the client: each client's own, and the same from every node. */
function stickyPick(endpoints: Endpoint[], client: string): Endpoint | undefined {
  let best: { endpoint: Endpoint; weight: number } | undefined;
  for (const endpoint of endpoints) {
    const weight = hashOf(`${client} ${endpointKey(endpoint)}`);
    if (!best || weight > best.weight) best = { endpoint, weight };
  }
  return best?.endpoint;
}

/** FNV-1a, its bits mixed once more: addresses differ in few of them. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function* nearestFirst(endpoints: Endpoint[], zone: string): Generator<Endpoint[]> {
  yield endpoints.filter(({ isLocal }) => isLocal);
  if (zone !== '') yield endpoints.filter((endpoint) => endpoint.zone === zone);
  yield endpoints;
}

function noPort(route: Route, port: number): string {
  const known = route.ports.map((candidate) => candidate.port).join(', ') || 'none';
  return `Service "${route.name}" in namespace "${route.namespace}" has no port ${port}; its ports: ${known}`;
}

interface Index {
  byName: Map<string, Route>;
  byAddress: Map<string, Route>;
  endpoints: Map<string, Endpoint>;
}

const indexes = new WeakMap<RouteTable, Index>();

function indexOf(table: RouteTable): Index {
  let index = indexes.get(table);
  if (!index) {
    index = {
      byName: new Map(table.routes.map((route) => [`${route.namespace}/${route.name}`, route])),
      byAddress: new Map(table.routes.flatMap((route) => route.clusterIPs.map((ip) => [ip, route] as const))),
      endpoints: new Map(
        table.routes.flatMap((route) =>
          route.ports.flatMap((port) => port.endpoints.map((e) => [`${e.ip}:${e.port}`, e] as const)),
        ),
      ),
    };
    indexes.set(table, index);
  }
  return index;
}
