import type { RouteTable } from '../../../mesh/route-table.ts';
import type { RequestLoad } from '../isolate/inbound-load.ts';
import type { ContainerSpec, ContainerState } from '../runtime.ts';

/** A certificate chain, its key and the roots to trust, all PEM. The key stays on the node. */
export interface PemIdentity {
  certificate: string;
  privateKey: string;
  trustBundle: string;
}

/** One port of a LoadBalancer or NodePort Service that this node answers for. */
export interface ListenerSpec {
  namespace: string;
  service: string;
  /** The Service's port. */
  port: number;
  /** The loopback address chosen for the Service, or the node's own for a node port. */
  ip: string;
  /** The port that is the same on every node: this one or none. */
  nodePort?: number;
  /** Only pods of this node answer (`externalTrafficPolicy: Local`). */
  localOnly?: boolean;
}

/** Where a LoadBalancer port really listens. */
export interface ListenerState extends ListenerSpec {
  boundIP: string;
  /** 0 if a node port could not be had. */
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
  /** What its servers had to do, once they were asked. */
  load?: RequestLoad;
}

/** Agents and shims of different versions refuse each other. */
export const protocolVersion = 3;

/** What the agent asks, each answered by a result of its own type. JSON lines over the control socket. */
export interface ShimMethods {
  hello(params: { version: number }): { pid: number };
  start(params: { spec: ContainerSpec }): void;
  stop(params: { id: string; graceSeconds: number }): void;
  remove(params: { id: string }): void;
  list(params: null): ContainerState[];
  setTable(params: { table: RouteTable }): void;
  setIdentity(params: { podUid: string; identity: PemIdentity }): void;
  setNodeIdentity(params: { identity: PemIdentity }): void;
  forgetPod(params: { podUid: string }): void;
  setListeners(params: { listeners: ListenerSpec[] }): ListenerState[];
  openMeshPort(params: { host: string; port: number }): { host: string; port: number };
  usage(params: null): ContainerUsage[];
  metrics(params: null): string;
  shutdown(params: { graceSeconds: number }): void;
}

export type ShimMethod = keyof ShimMethods;
export type ParamsOf<M extends ShimMethod> = Parameters<ShimMethods[M]>[0];
export type ResultOf<M extends ShimMethod> = ReturnType<ShimMethods[M]>;

export type ShimRequest = { [M in ShimMethod]: { id: number; method: M; params: ParamsOf<M> } }[ShimMethod];

export type ShimReply =
  | { id: number; result: unknown }
  | { id: number; error: { message: string } }
  | { event: 'state'; state: ContainerState }
  /** Requests wait for a Service (`namespace/name`) that has no endpoint. */
  | { event: 'held'; service: string };
