import type { Log } from '../../../base/log.ts';
import type { RouteTable } from '../../../mesh/route-table.ts';
import type { Runtime } from '../runtime.ts';
import type { ContainerUsage, ListenerSpec, ListenerState, PemIdentity } from './protocol.ts';

export type { ContainerUsage, ListenerSpec, ListenerState, PemIdentity } from './protocol.ts';

/** The node's shim as the agent sees it: the isolate runtime and all of the node's data-plane sockets. */
export interface ShimClient extends Runtime {
  readonly name: 'isolate';
  /** The shim's process id. */
  readonly pid: number;
  /** Replaces the routes in the shim and in every pod; the same version again costs nothing. */
  pushRoutes(table: RouteTable): Promise<void>;
  /** Gives a pod its certificate, at first and at every renewal. May come before or after the pod's containers start. */
  pushIdentity(podUid: string, identity: PemIdentity): Promise<void>;
  /** The node's own client certificate, with which LoadBalancer connections travel to other nodes. */
  pushNodeIdentity(identity: PemIdentity): Promise<void>;
  /** Forgets a pod's identity once its containers are removed. */
  forgetPod(podUid: string): Promise<void>;
  /** Opens and closes LoadBalancer listeners until exactly these are open; answers where each really listens. */
  setListeners(listeners: ListenerSpec[]): Promise<ListenerState[]>;
  /** Opens the mesh port that other nodes dial (port 0 picks one); answers the address taken. Asking again for the same costs nothing. */
  openMeshPort(address: { host: string; port: number }): Promise<{ host: string; port: number }>;
  /** Memory and CPU of every running container. */
  usage(): Promise<ContainerUsage[]>;
  /** Request telemetry of all pods on the node, and the shim's own, as Prometheus text. */
  metrics(): Promise<string>;
  /** Calls back once when the connection to the shim is lost (it died, or `close` was called). */
  onDisconnect(listener: () => void): () => void;
  /** Lets go of the shim; it and its pods live on. */
  close(): Promise<void>;
  /** Stops all pods gracefully and ends the shim; resolves when its process is gone. */
  shutdown(options: { graceSeconds: number }): Promise<void>;
}

export interface ConnectOptions {
  /** The node's data folder (`<data>/node`). */
  dataDir: string;
  log: Log;
  /** Starts the shim, detached, if none answers; otherwise its absence is an error. */
  spawnIfAbsent: boolean;
}

/** Connects to the node's shim over its control socket. */
export declare function connectShim(options: ConnectOptions): Promise<ShimClient>;
