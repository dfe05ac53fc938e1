import http from 'node:http';
import type { Duplex } from 'node:stream';
import { adviseUnreachable } from './advice.ts';
import { endpointKey } from './balance.ts';
import { decide } from './decide.ts';
import { aliased } from './host-aliases.ts';
import type { MeshState } from './mesh-client.ts';
import type { Endpoint } from './route-table.ts';
import type { TlsDialer } from './tls-dialer.ts';
import { Unavailable, UnavailableStream } from './unavailable.ts';

/** Idle connections kept to one endpoint. */
export const idleConnectionsMax = 64;
/** Connections to one endpoint at a time; further requests wait. */
export const connectionsMax = 512;
export const idleConnectionMs = 55_000;

/** The connection could not be made: nothing was sent, so that another endpoint may be tried. */
export class ConnectError extends Error {
  readonly code: string;

  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ConnectError';
    this.code = (cause as { code?: string } | undefined)?.code ?? 'ECONNREFUSED';
  }
}

/** Request options that name the endpoint, where the caller has chosen it already. */
export interface MeshRequestOptions extends http.RequestOptions {
  endpoint?: Endpoint;
}

/** A connection pool whose connections lead where the routes say. */
export class MeshAgent extends http.Agent {
  readonly #state: MeshState;
  readonly #dialer: TlsDialer;
  readonly #isTls: boolean;

  constructor(options: { state: MeshState; dialer: TlsDialer; protocol: 'http:' | 'https:' }) {
    super({
      keepAlive: true,
      maxFreeSockets: idleConnectionsMax,
      maxSockets: connectionsMax,
      timeout: idleConnectionMs,
      scheduling: 'lifo',
    });
    this.#state = options.state;
    this.#dialer = options.dialer;
    this.#isTls = options.protocol === 'https:';
    // http.request compares it with the URL's; @types/node hides it.
    Object.assign(this, { protocol: options.protocol, defaultPort: this.#isTls ? 443 : 80 });
  }

  override getName(options: MeshRequestOptions = {}): string {
    const { endpoint } = options;
    if (endpoint) {
      const at = endpoint.node === '' ? endpointKey(endpoint) : `${endpointKey(endpoint)}@${endpoint.node}`;
      // A certificate was checked for one name: another name needs a handshake of its own.
      return this.#isTls ? `${options.host ?? ''}=${at}` : at;
    }
    return `${options.host ?? ''}:${options.port ?? ''}`;
  }

  override createConnection(
    options: MeshRequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#connect(options).then(
      (socket) => callback?.(null, socket),
      // On failure Node's agent passes the error on and ignores the stream.
      (error: unknown) => callback?.(asConnectError(error), undefined as unknown as Duplex),
    );
  }

  async #connect(options: MeshRequestOptions): Promise<Duplex> {
    const { balance, holding, namespace, client, hostAliases } = this.#state;
    const name = (options.host ?? 'localhost').replace(/^\[|\]$/g, '');
    let host = aliased(hostAliases, name);
    const isAlias = host !== name;
    const port = Number(options.port ?? (this.#isTls ? 443 : 80));
    let endpoint = options.endpoint;
    if (!endpoint) {
      const request = { host, port, namespace, client };
      const decision = await holding.decided(() => decide(this.#state.table, request, balance));
      if (decision.kind === 'refused') {
        const { reason, retryAfterSeconds } = decision;
        if (retryAfterSeconds === undefined) throw new Error(reason);
        return new UnavailableStream(new Unavailable(reason, retryAfterSeconds));
      }
      if (decision.kind === 'endpoint') endpoint = decision.endpoint;
      else host = decision.host;
    }
    if (endpoint) {
      if (this.#isTls) return this.#dialer.toService(endpoint, isAlias ? name : host);
      return this.#dialer.toEndpoint(endpoint);
    }
    try {
      return await (this.#isTls
        ? this.#dialer.toHost(host, port, isAlias ? name : host)
        : this.#dialer.plainToHost(host, port));
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEGRESS') throw error;
      throw new Error(adviseUnreachable(this.#state.table, { host, port, namespace }));
    }
  }
}

function asConnectError(error: unknown): ConnectError {
  return error instanceof ConnectError
    ? error
    : new ConnectError(error instanceof Error ? error.message : String(error), error);
}
