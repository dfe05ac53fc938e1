import { once } from 'node:events';
import net from 'node:net';

export interface HttpPost {
  path: string;
  body: Buffer;
  headers: Record<string, string>;
}

/** A keep-alive connection that sends the same request again and again: the load must cost less than what is measured. */
export class Connection {
  readonly #socket: net.Socket;
  readonly #request: Buffer;
  #received: Buffer = Buffer.alloc(0);
  #done: PromiseWithResolvers<void> | undefined;

  constructor(socket: net.Socket, { path, body, headers }: HttpPost) {
    const all = { host: '127.0.0.1', 'content-length': body.length, ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#request = Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('close', () => this.#done?.reject(new Error('the connection was closed')));
  }

  static async open(port: number, post: HttpPost): Promise<Connection> {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket, post);
  }

  ask(): Promise<void> {
    this.#done = Promise.withResolvers();
    this.#socket.write(this.#request);
    return this.#done.promise;
  }

  close(): void {
    this.#done = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)![1]);
    if (this.#received.length < end + 4 + length) return;
    this.#received = Buffer.alloc(0);
    if (head.startsWith('HTTP/1.1 200')) this.#done!.resolve();
    else this.#done!.reject(new Error(head));
  }
}
