import type { Socket } from 'node:net';
import tls from 'node:tls';
import { endpointKey } from './balance.ts';
import type { Dial } from './mesh-client.ts';
import type { Endpoint } from './route-table.ts';

/** How many TLS sessions are kept for resumption. */
export const sessionsMax = 256;
/** How long a handshake may take. */
export const handshakeTimeoutMs = 10_000;

/** A certificate chain, its key and the roots to trust, all PEM. */
export interface ClientIdentity {
  certificate: string;
  privateKey: string;
  trustBundle: string;
}

/** Dials, and speaks TLS where the way leaves the node or the URL says `https`. */
export class TlsDialer {
  readonly #dial: Dial;
  #identity: ClientIdentity | undefined;
  #context: tls.SecureContext | undefined;
  #serviceContext: tls.SecureContext | undefined;
  #sessions = new Map<string, Buffer>();

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  /** Later handshakes use it; sessions made with the one before are forgotten. */
  setIdentity(identity: ClientIdentity): void {
    this.#identity = identity;
    this.#context = undefined;
    this.#serviceContext = undefined;
    this.#sessions.clear();
  }

  /** To a pod: plain on the same node, mutual TLS to another one, whose certificate must name an expected SPIFFE id. */
  async toEndpoint(endpoint: Endpoint): Promise<Socket> {
    const socket = await this.#dial({ host: endpoint.ip, port: endpoint.port });
    if (endpoint.isLocal || endpoint.node === '') return socket;
    if (!this.#identity) {
      socket.destroy();
      throw new Error(`cannot call node "${endpoint.node}": this pod has no mesh identity yet`);
    }
    this.#context ??= tls.createSecureContext({
      cert: this.#identity.certificate,
      key: this.#identity.privateKey,
      ca: this.#identity.trustBundle,
      minVersion: 'TLSv1.3',
    });
    return this.#handshake(socket, `${endpointKey(endpoint)} ${endpoint.spiffeIds.join(' ')}`, {
      secureContext: this.#context,
      checkServerIdentity: (_host, certificate) => checkSpiffe(certificate, endpoint.spiffeIds),
    });
  }

  /**
   * To a Service that speaks TLS itself, such as the API server: its certificate must name `host`, and the cluster's
   * authority is trusted beside the public roots.
   */
  async toService(endpoint: Endpoint, host: string): Promise<Socket> {
    const socket = await this.#dial({ host: endpoint.ip, port: endpoint.port });
    const isName = !/^[\d.]+$|:/.test(host);
    const { trustBundle } = this.#identity ?? {};
    this.#serviceContext ??= tls.createSecureContext({
      ...(trustBundle !== undefined && { ca: [...tls.rootCertificates, trustBundle] }),
    });
    return this.#handshake(socket, `${host} ${endpointKey(endpoint)}`, {
      host,
      ...(isName && { servername: host }),
      secureContext: this.#serviceContext,
    });
  }

  /** To a host outside the mesh, known by `name`, trusting the public roots. */
  async toHost(host: string, port: number, name = host): Promise<Socket> {
    const socket = await this.#dial({ host, port });
    const isName = !/^[\d.]+$|:/.test(name);
    const options = { host: name, ...(isName && { servername: name }) };
    return this.#handshake(socket, `${name} ${host}:${port}`, options);
  }

  async plainToHost(host: string, port: number): Promise<Socket> {
    return this.#dial({ host, port });
  }

  #handshake(socket: Socket, sessionKey: string, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
    const session = this.#sessions.get(sessionKey);
    const secured = tls.connect({
      ...options,
      socket,
      rejectUnauthorized: true,
      ...(session && { session }),
    });
    secured.on('session', (fresh: Buffer) => this.#keepSession(sessionKey, fresh));
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        this.#sessions.delete(sessionKey);
        secured.destroy();
        reject(error);
      };
      secured.setTimeout(handshakeTimeoutMs, () =>
        fail(new Error(`TLS handshake with ${sessionKey} timed out`)),
      );
      secured.once('error', fail);
      secured.once('secureConnect', () => {
        secured.setTimeout(0);
        secured.removeAllListeners('timeout');
        secured.off('error', fail);
        resolve(secured);
      });
    });
  }

  #keepSession(key: string, session: Buffer): void {
    this.#sessions.delete(key);
    const oldest = this.#sessions.keys().next().value;
    if (this.#sessions.size >= sessionsMax && oldest !== undefined) this.#sessions.delete(oldest);
    this.#sessions.set(key, session);
  }
}

/** The chain has been verified; here the peer's name is: it must be one of the identities behind the Service. */
function checkSpiffe(certificate: tls.PeerCertificate, expected: string[]): Error | undefined {
  const presented = spiffeIdsOf(certificate);
  if (presented.some((id) => expected.includes(id))) return undefined;
  return new Error(
    `peer identifies as ${presented.join(', ') || 'nobody'}, expected ${expected.join(' or ') || 'no identity (the EndpointSlice names none)'}`,
  );
}

/** The SPIFFE ids in a certificate's subjectAltName, e.g. `URI:spiffe://cluster.local/ns/default/sa/web`. */
export function spiffeIdsOf(certificate: tls.PeerCertificate): string[] {
  return (certificate.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name.startsWith('URI:spiffe://'))
    .map((name) => name.slice('URI:'.length));
}
