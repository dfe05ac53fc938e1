import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import type { Log } from '../../../base/log.ts';
import type { ContainerState } from '../runtime.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import type { ParamsOf, ResultOf, ShimMethod, ShimMethods, ShimReply, ShimRequest } from './protocol.ts';

/** Agents connected at a time: one, its successor, and a person who looks. */
export const agentsMax = 8;
/** Requests of one agent that are being answered. */
export const requestsMax = 1024;

export type ShimHandlers = {
  [M in keyof ShimMethods]: (params: ParamsOf<M>) => ResultOf<M> | Promise<ResultOf<M>>;
};

/** The shim's control socket: requests in, replies and events out. Only this user can open it. */
export class ControlServer {
  readonly #handlers: ShimHandlers;
  readonly #log: Log;
  readonly #onAgents: (count: number) => void;
  readonly #agents = new Set<net.Socket>();
  readonly #server: net.Server;

  constructor(options: { handlers: ShimHandlers; log: Log; onAgents: (count: number) => void }) {
    this.#handlers = options.handlers;
    this.#log = options.log;
    this.#onAgents = options.onAgents;
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  async listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    const umask = process.umask(0o177);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(path, () => resolve());
    });
    process.umask(umask);
    chmodSync(path, 0o600);
  }

  broadcast(state: ContainerState): void {
    const event: ShimReply = { event: 'state', state };
    for (const agent of this.#agents) writeJsonLine(agent, event);
  }

  tellHeld(service: string): void {
    const event: ShimReply = { event: 'held', service };
    for (const agent of this.#agents) writeJsonLine(agent, event);
  }

  close(): void {
    this.#server.close();
    for (const agent of this.#agents) agent.end();
  }

  #accept(socket: net.Socket): void {
    if (this.#agents.size >= agentsMax) {
      socket.destroy();
      return;
    }
    this.#agents.add(socket);
    this.#onAgents(this.#agents.size);
    let answering = 0;
    socket.on('error', (error) => this.#log.debug('agent connection failed', { error }));
    socket.once('close', () => {
      this.#agents.delete(socket);
      this.#onAgents(this.#agents.size);
    });
    readJsonLines(socket, (value) => {
      answering += 1;
      if (answering > requestsMax) {
        socket.destroy();
        return;
      }
      void this.#answer(value as ShimRequest)
        .then((reply) => writeJsonLine(socket, reply))
        .finally(() => {
          answering -= 1;
        });
    });
  }

  async #answer(request: ShimRequest): Promise<ShimReply> {
    const { id, method } = request;
    try {
      if (!Object.hasOwn(this.#handlers, method)) throw new Error(`the shim has no method "${method}"`);
      const handler = this.#handlers[method] as (params: ParamsOf<ShimMethod>) => unknown;
      return { id, result: (await handler(request.params)) ?? null };
    } catch (error) {
      return { id, error: { message: (error as Error).message } };
    }
  }
}
