import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import type { PodIdentity } from './messages.ts';

/** Ends mutual TLS in the pod: callers on other nodes must show a certificate of the cluster's authority. */
export class MeshTls {
  #server: Server | undefined;
  #identity: PodIdentity | undefined;
  readonly #onConnection: (port: number, socket: Socket) => void;

  constructor(onConnection: (port: number, socket: Socket) => void) {
    this.#onConnection = onConnection;
  }

  setIdentity(identity: PodIdentity): void {
    this.#identity = identity;
    this.#server?.setSecureContext(contextOf(identity));
  }

  /** Takes over a connection on which the caller is about to start TLS. */
  async accept(port: number, socket: Socket): Promise<void> {
    if (!this.#identity) {
      socket.destroy();
      return;
    }
    // Loaded late: most pods on a single node never need TLS.
    this.#server ??= await this.#create(this.#identity);
    ports.set(socket, port);
    socket.on('error', () => {});
    this.#server.emit('connection', socket);
  }

  async #create(identity: PodIdentity): Promise<Server> {
    const tls = await import('node:tls');
    const server = tls.createServer({
      ...contextOf(identity),
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: 10_000,
    });
    server.on('secureConnection', (secured) => {
      const raw = (secured as unknown as { _parent?: Socket })._parent;
      this.#onConnection((raw && ports.get(raw)) ?? 0, secured);
    });
    server.on('tlsClientError', () => {});
    return server;
  }
}

const ports = new WeakMap<Socket, number>();

function contextOf(identity: PodIdentity) {
  return { cert: identity.certificate, key: identity.privateKey, ca: identity.trustBundle };
}
