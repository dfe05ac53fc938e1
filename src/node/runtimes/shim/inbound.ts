import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import { answerConnect, readConnect } from './connect-stream.ts';
import type { Pods } from './pods.ts';

/** Connections that may be in the act of saying where they want to go. */
export const headsMax = 512;

/** A listener on which a peer says `CONNECT podIP:port` and is then handed to the pod. */
export class ConnectListener {
  readonly #server: net.Server;
  readonly #pods: Pods;
  readonly #isTls: boolean;
  #heads = 0;

  /** With `isTls` only TLS goes on after the CONNECT, and the pod ends it: for peers on other nodes. */
  constructor(options: { pods: Pods; isTls: boolean }) {
    this.#pods = options.pods;
    this.#isTls = options.isTls;
    this.#server = net.createServer({ pauseOnConnect: true }, (socket) => void this.#accept(socket));
  }

  get address(): net.AddressInfo | string | null {
    return this.#server.address();
  }

  async listen(at: { path: string } | { host: string; port: number }): Promise<void> {
    if ('path' in at) rmSync(at.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(at, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    if ('path' in at) chmodSync(at.path, 0o600);
    // A failing accept (no file descriptor left) must not end the shim.
    this.#server.on('error', () => {});
  }

  close(): void {
    this.#server.close();
  }

  async #accept(socket: net.Socket): Promise<void> {
    socket.on('error', () => {});
    if (this.#heads >= headsMax) {
      socket.destroy();
      return;
    }
    this.#heads += 1;
    try {
      const { ip, port } = await readConnect(socket);
      socket.setNoDelay?.(true);
      if (!this.#pods.serving(ip, port))
        return void (await answerConnect(socket, 503, `nothing listens at ${ip}`));
      await answerConnect(socket, 200, 'OK');
      if (!this.#pods.connect(socket, { ip, port, isTls: this.#isTls })) socket.destroy();
    } catch {
      // The peer was answered, or is gone.
    } finally {
      this.#heads -= 1;
    }
  }
}
