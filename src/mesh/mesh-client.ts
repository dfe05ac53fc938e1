import { Balance } from './balance.ts';
import { createFetch } from './fetch.ts';
import { Holding } from './holding.ts';
import type { HostAliases } from './host-aliases.ts';
import { MeshAgent } from './mesh-agent.ts';
import type { RouteTable } from './route-table.ts';
import { Telemetry } from './telemetry.ts';
import { type ClientIdentity, TlsDialer } from './tls-dialer.ts';

/** Opens a connection to `host:port`; who may reach what, and how, is decided on the other side of this. */
export type Dial = (target: { host: string; port: number }) => Promise<import('node:net').Socket>;

/** The mesh inside a pod's own process: it routes, balances, retries, encrypts and counts the pod's requests. */
export interface MeshClient {
  fetch: typeof fetch;
  /** Agents for `http.request` and `https.request`. */
  httpAgent: MeshAgent;
  httpsAgent: MeshAgent;
  telemetry: Telemetry;
  setTable(table: RouteTable): void;
  setIdentity(identity: ClientIdentity): void;
  /** Closes idle connections. */
  close(): void;
}

/** What the parts of the client share; the table is replaced as a whole. */
export interface MeshState {
  table: RouteTable;
  readonly namespace: string;
  readonly hostAliases: HostAliases;
  /** The pod's own address. */
  readonly client: string;
  readonly balance: Balance;
  readonly telemetry: Telemetry;
  readonly holding: Holding;
}

/** `namespace` is the pod's own, where short Service names are looked up. */
export function createMeshClient(options: {
  namespace: string;
  podIP?: string;
  hostAliases?: HostAliases | undefined;
  dial: Dial;
  balance?: Balance;
  /** Told of each Service (`namespace/name`) that requests begin to wait for. */
  onHold?: (service: string) => void;
}): MeshClient {
  const state: MeshState = {
    table: { version: '', node: { name: '', zone: '' }, routes: [] },
    namespace: options.namespace,
    hostAliases: options.hostAliases ?? {},
    client: options.podIP ?? '',
    balance: options.balance ?? new Balance(),
    telemetry: new Telemetry(),
    holding: new Holding({ onHold: options.onHold ?? (() => {}) }),
  };
  const dialer = new TlsDialer(options.dial);
  const httpAgent = new MeshAgent({ state, dialer, protocol: 'http:' });
  const httpsAgent = new MeshAgent({ state, dialer, protocol: 'https:' });
  return {
    fetch: createFetch(state, { 'http:': httpAgent, 'https:': httpsAgent }),
    httpAgent,
    httpsAgent,
    telemetry: state.telemetry,
    setTable: (table) => {
      state.table = table;
      state.holding.recheck();
    },
    setIdentity: (identity) => dialer.setIdentity(identity),
    close: () => {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
