import net from 'node:net';
import { pipeline } from 'node:stream';
import type { Log } from '../../../base/log.ts';
import { Balance, endpointKey } from '../../../mesh/balance.ts';
import { decide, findEndpoint } from '../../../mesh/decide.ts';
import { Holding } from '../../../mesh/holding.ts';
import type { Endpoint } from '../../../mesh/route-table.ts';
import type { TlsDialer } from '../../../mesh/tls-dialer.ts';
import { Unavailable } from '../../../mesh/unavailable.ts';
import type { Dialer } from './dialer.ts';
import type { Pods } from './pods.ts';
import type { ListenerSpec, ListenerState, PemIdentity } from './protocol.ts';

/** What is added to a port that can't be bound: 80 becomes 8080. */
const fallbackOffset = 8000;
/** Endpoints tried for one connection. */
const attemptsMax = 3;
/** Connections that are spliced to other nodes at a time. */
export const splicedMax = 1024;

/** Without a server: a node port that somebody else has. */
interface Opened {
  server?: net.Server;
  state: ListenerState;
}

/** Answers for LoadBalancer and NodePort Services: takes connections and hands them to a pod here, or carries them to one elsewhere. */
export class LoadBalancer {
  readonly #pods: Pods;
  readonly #dialer: Dialer;
  readonly #log: Log;
  readonly #balance = new Balance();
  readonly #holding: Holding;
  readonly #open = new Map<string, Opened>();
  #identity: PemIdentity | undefined;
  #tls: TlsDialer | undefined;
  #spliced = 0;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: {
    pods: Pods;
    dialer: Dialer;
    log: Log;
    /** Told of each Service (`namespace/name`) that connections wait for. */
    onHold: (service: string) => void;
  }) {
    this.#pods = options.pods;
    this.#dialer = options.dialer;
    this.#log = options.log;
    this.#holding = new Holding(options);
  }

  setIdentity(identity: PemIdentity): void {
    this.#identity = identity;
    this.#tls?.setIdentity(identity);
  }

  /** Opens and closes until exactly these listen. Listeners that stay are not touched. */
  setListeners(wanted: ListenerSpec[]): Promise<ListenerState[]> {
    const done = this.#changing.then(() => this.#change(wanted));
    this.#changing = done.catch(() => {});
    return done;
  }

  /** The routes have changed: connections that wait may go on. */
  recheck(): void {
    this.#holding.recheck();
  }

  close(): void {
    for (const { server } of this.#open.values()) server?.close();
  }

  async #change(wanted: ListenerSpec[]): Promise<ListenerState[]> {
    const keys = new Set(wanted.map(keyOf));
    for (const [key, { server }] of this.#open) {
      if (keys.has(key) && server) continue;
      server?.close();
      this.#open.delete(key);
    }
    for (const spec of wanted) {
      if (!this.#open.has(keyOf(spec))) this.#open.set(keyOf(spec), await this.#bind(spec));
    }
    return wanted.map((spec) => this.#open.get(keyOf(spec))!.state);
  }

  async #bind(spec: ListenerSpec): Promise<Opened> {
    const candidates = spec.nodePort
      ? nodePortCandidates(spec, spec.nodePort)
      : [
          { host: spec.ip, port: spec.port },
          { host: spec.ip, port: spec.port + fallbackOffset },
          { host: '127.0.0.1', port: spec.port + fallbackOffset },
          { host: spec.ip, port: 0 },
          { host: '127.0.0.1', port: 0 },
        ].filter(({ port }) => port <= 65535);
    let problem: string | undefined;
    for (const candidate of candidates) {
      const server = net.createServer({ pauseOnConnect: true }, (socket) => void this.#accept(spec, socket));
      try {
        await listen(server, candidate);
      } catch (error) {
        problem ??= (error as Error).message;
        continue;
      }
      // Bound to a host and port, so the address is an AddressInfo.
      const { address, port } = server.address() as net.AddressInfo;
      return { server, state: { ...spec, boundIP: address, boundPort: port, ...(problem && { problem }) } };
    }
    if (spec.nodePort) return { state: { ...spec, boundIP: spec.ip, boundPort: 0, problem } };
    throw new Error(`cannot listen for Service ${spec.namespace}/${spec.service}: ${problem}`);
  }

  async #accept(spec: ListenerSpec, socket: net.Socket): Promise<void> {
    socket.on('error', () => {});
    socket.setNoDelay(true);
    const tried = new Set<string>();
    for (let failures = 0; failures < attemptsMax; ) {
      const { table } = this.#pods;
      if (!table || socket.destroyed) break;
      const { service: host, namespace, port, localOnly = false } = spec;
      const request = { host, namespace, port, localOnly, client: socket.remoteAddress ?? '' };
      const closed = new AbortController();
      socket.once('close', () => closed.abort());
      const decision = await this.#holding.decided(
        () => decide(this.#pods.table ?? table, request, this.#balance, tried),
        closed.signal,
      );
      if (decision.kind === 'refused' && decision.retryAfterSeconds !== undefined) {
        const { refuseHeld } = await import('./refuse-held.ts');
        return refuseHeld(socket, new Unavailable(decision.reason, decision.retryAfterSeconds));
      }
      if (decision.kind !== 'endpoint') break;
      const { endpoint } = decision;
      try {
        await this.#connect(socket, endpoint);
        return;
      } catch (error) {
        this.#log.debug('load balancer endpoint failed', { endpoint: endpointKey(endpoint), error });
        this.#balance.eject(endpoint);
        // That a pod of this node is about to end costs nothing to learn; in a roll-out several may be.
        if (!endpoint.isLocal) failures += 1;
        tried.add(endpointKey(endpoint));
      }
    }
    // A reset tells a client at once that nobody is there; an end would look like an empty answer.
    socket.resetAndDestroy();
  }

  async #connect(socket: net.Socket, endpoint: Endpoint): Promise<void> {
    const { ip, port } = endpoint;
    if (this.#pods.connect(socket, { ip, port, isTls: false })) return;
    if (this.#pods.has(ip) || endpoint.isLocal) throw new Error('the pod does not listen');
    if (this.#spliced >= splicedMax) throw new Error(`more than ${splicedMax} connections to other nodes`);
    this.#spliced += 1;
    try {
      const upstream = await (await this.#tlsDialer()).toEndpoint(endpoint);
      const done = () => {
        upstream.destroy();
        socket.destroy();
      };
      pipeline(socket, upstream, () => {});
      pipeline(upstream, socket, done);
      socket.once('close', () => {
        this.#spliced -= 1;
      });
    } catch (error) {
      this.#spliced -= 1;
      throw error;
    }
  }

  /** Loaded with the first connection that leaves the node: TLS costs memory. */
  async #tlsDialer(): Promise<TlsDialer> {
    if (this.#tls) return this.#tls;
    const { TlsDialer } = await import('../../../mesh/tls-dialer.ts');
    this.#tls ??= new TlsDialer(({ host, port }) => this.#dialHost(host, port));
    if (this.#identity) this.#tls.setIdentity(this.#identity);
    return this.#tls;
  }

  async #dialHost(host: string, port: number): Promise<net.Socket> {
    const { table } = this.#pods;
    const endpoint = table && findEndpoint(table, host, port);
    if (!endpoint) throw new Error(`${host}:${port} is no endpoint any more`);
    return this.#dialer.toEndpoint(endpoint);
  }
}

/** The node's address may be one that only others see, behind a router: then this machine's own users are served. */
function nodePortCandidates({ ip }: ListenerSpec, port: number): { host: string; port: number }[] {
  return [ip, '127.0.0.1'].map((host) => ({ host, port }));
}

function listen(server: net.Server, at: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}

function keyOf(spec: ListenerSpec): string {
  const { namespace, service, port, ip, nodePort = '', localOnly = false } = spec;
  return `${namespace}/${service}:${port}@${ip}:${nodePort}${localOnly ? ' local' : ''}`;
}
