/** A certificate chain, its key and the roots to trust, all PEM. The key stays on the node. */
export interface PemIdentity {
  certificate: string;
  privateKey: string;
  trustBundle: string;
}

/** One port of a LoadBalancer Service that this node answers for. */
export interface ListenerSpec {
  namespace: string;
  service: string;
  /** The Service's port. */
  port: number;
  /** The loopback address chosen for the Service. */
  ip: string;
}

/** Where a LoadBalancer port really listens. */
export interface ListenerState extends ListenerSpec {
  boundIP: string;
  boundPort: number;
  /** Why another address than the one asked for was taken, e.g. `listen EACCES: permission denied 127.42.0.1:80`. */
  problem?: string | undefined;
}

export interface ContainerUsage {
  id: string;
  /** Memory that counts against the limit (anonymous pages). */
  workingSetBytes: number;
  rssBytes: number;
  /** CPU time since start. */
  cpuSeconds: number;
}
