import net from 'node:net';

/** What the host keeps of a server that believes it listens. */
interface Handed {
  server: net.Server;
  port: number;
}

/** Servers of the pod's own program: `listen` registers them, and they get the connections handed to the pod. */
export class HandedServers {
  #servers: Handed[] = [];
  #wasAsked = false;
  readonly #podIP: string;
  readonly #onChange: (ports: number[]) => void;

  constructor(options: { podIP: string; onChange: (ports: number[]) => void }) {
    this.#podIP = options.podIP;
    this.#onChange = options.onChange;
  }

  /** Replaces `net.Server.prototype.listen`, which http, https, http2 and tls servers all use. */
  install(): void {
    const servers = this;
    net.Server.prototype.listen = function (this: net.Server, ...args: unknown[]) {
      servers.#listen(this, args);
      return this;
    } as typeof net.Server.prototype.listen;
  }

  get isEmpty(): boolean {
    return this.#servers.length === 0;
  }

  /** Whether a connection ever came. */
  get wasAsked(): boolean {
    return this.#wasAsked;
  }

  /** Gives the connection to the server on that port, or else to the first: a pod has one address of its own. */
  accept(port: number, socket: net.Socket): boolean {
    const handed = this.#servers.find((candidate) => candidate.port === port) ?? this.#servers[0];
    if (!handed) return false;
    const { server } = handed;
    this.#wasAsked = true;
    // As net.Server does on accept, so that close() waits for the connection.
    const counting = server as unknown as { _connections: number };
    counting._connections += 1;
    Object.assign(socket, { _server: server });
    server.emit('connection', socket);
    return true;
  }

  /** Stops accepting and resolves when every connection has ended its request. */
  async close(): Promise<void> {
    const closing = this.#servers.map(
      ({ server }) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    await Promise.all(closing);
  }

  #listen(server: net.Server, args: unknown[]): void {
    if (server.listening)
      throw Object.assign(new Error('Listen method has been called more than once'), {
        code: 'ERR_SERVER_ALREADY_LISTEN',
      });
    const callback = args.findLast((argument) => typeof argument === 'function') as (() => void) | undefined;
    if (callback) server.once('listening', callback);
    const handed = { server, port: portOf(args) };
    this.#servers.push(handed);
    // `listening`, `address()` and `close()` look at the handle.
    Object.assign(server, { _handle: this.#handleOf(handed) });
    process.nextTick(() => {
      if (!this.#servers.includes(handed)) return;
      server.emit('listening');
      this.#announce();
    });
  }

  #handleOf(handed: Handed) {
    return {
      getsockname: (out: { address?: string; family?: string; port?: number }) => {
        Object.assign(out, { address: this.#podIP, family: 'IPv4', port: handed.port });
        return 0;
      },
      close: (callback?: () => void) => {
        this.#servers = this.#servers.filter((other) => other !== handed);
        this.#announce();
        if (callback) process.nextTick(callback);
      },
      ref: () => {},
      unref: () => {},
      hasRef: () => true,
    };
  }

  #announce(): void {
    this.#onChange(this.#servers.map(({ port }) => port));
  }
}

/** The port in any of listen's forms; 0 and paths get 8080, as nothing else can tell them apart. */
function portOf(args: unknown[]): number {
  const first = args[0];
  const asked = typeof first === 'object' && first !== null ? (first as { port?: unknown }).port : first;
  const port = Number(asked);
  return Number.isInteger(port) && port > 0 && port < 65536 ? port : 8080;
}
