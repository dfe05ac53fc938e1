import { rmSync } from 'node:fs';
import net from 'node:net';

/** How many pairs may wait to be made. */
export const pairsWaitingMax = 4096;

/** Makes pairs of connected Unix sockets, one after the other, over a private listener; neither end has been read from. */
export class SocketPairs {
  readonly #path: string;
  readonly #server: net.Server;
  #accept: ((socket: net.Socket) => void) | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(path: string) {
    this.#path = path;
    this.#server = net.createServer({ pauseOnConnect: true }, (socket) => {
      if (this.#accept) this.#accept(socket);
      else socket.destroy();
    });
  }

  async open(): Promise<void> {
    rmSync(this.#path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(this.#path, resolve);
    });
    // Closing it is enough; a shim that ends must not wait for it.
    this.#server.unref();
  }

  make(): Promise<[net.Socket, net.Socket]> {
    if (this.#waiting >= pairsWaitingMax)
      return Promise.reject(new Error('too many connections are being opened'));
    this.#waiting += 1;
    const made = this.#queue
      .then(() => this.#makeOne())
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#queue = made.catch(() => {});
    return made;
  }

  close(): void {
    this.#server.close();
  }

  async #makeOne(): Promise<[net.Socket, net.Socket]> {
    const accepted = new Promise<net.Socket>((resolve) => {
      this.#accept = resolve;
    });
    try {
      const near = await connectUnread({ path: this.#path });
      return [near, await accepted];
    } finally {
      this.#accept = undefined;
    }
  }
}

/** How long a connection to another node or host may take. */
export const connectTimeoutMs = 5_000;

/** Connects without reading a byte, so that the socket can be handed to another process. */
export function connectUnread(target: net.NetConnectOpts, timeoutMs = connectTimeoutMs): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(target);
    socket.pause();
    const timer = setTimeout(() => fail(timeoutError()), timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      // From here on the owner sees errors as the close of the socket.
      socket.on('error', () => {});
      resolve(socket);
    });
    const timeoutError = () =>
      Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
  });
}
