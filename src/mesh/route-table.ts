/**
 * Where every Service leads, as seen from one node. Plain JSON, so that it can travel to the pods; never changed
 * in place: a new table replaces the old one.
 */
export interface RouteTable {
  /** A digest of the content: equal versions mean equal tables. */
  version: string;
  /** The node that the table was compiled for. */
  node: { name: string; zone: string };
  routes: Route[];
  /** Services that only stand for a name outside (`type: ExternalName`). */
  externalNames?: { namespace: string; name: string; host: string }[];
}

/** One Service. */
export interface Route {
  namespace: string;
  name: string;
  /** Empty for a headless Service. */
  clusterIPs: string[];
  /** Near endpoints first: same node, then same zone, then all (`spec.trafficDistribution`). */
  preferClose: boolean;
  /** Only endpoints on this node (`spec.internalTrafficPolicy: Local`). */
  localOnly: boolean;
  /** A client stays with one endpoint as long as that is there (`spec.sessionAffinity: ClientIP`). */
  isSticky?: true;
  /** Other Services of the namespace that take shares of the requests; a share of none that is ready falls to the rest. */
  split?: RouteShare[];
  /** Requests whose path ends so go to another Service of the namespace. */
  paths?: RoutePath[];
  /** A request that finds no endpoint waits so long for one: the Service is scaled up from zero meanwhile. */
  holdSeconds?: number;
  ports: RoutePort[];
}

export interface RouteShare {
  /** The Service's name. */
  service: string;
  percent: number;
}

export interface RoutePath {
  suffix: string;
  /** The Service's name. */
  service: string;
}

export interface RoutePort {
  name: string;
  /** The Service's port, the one that a caller names. */
  port: number;
  endpoints: Endpoint[];
}

/** One pod (or outside address) behind a Service port. */
export interface Endpoint {
  ip: string;
  /** The pod's port. */
  port: number;
  /** The pod's own name below a headless Service's: `web-0` in `web-0.web`. */
  hostname?: string;
  /** Empty for an address outside the cluster. */
  node: string;
  zone: string;
  /** On this node: a socket pair reaches it. */
  isLocal: boolean;
  /** `host:port` of the other node's mesh port; absent for local and for outside addresses. */
  meshAddress?: string;
  /** What the peer's certificate must name, one of them; empty where nothing is known of it. */
  spiffeIds: string[];
}
