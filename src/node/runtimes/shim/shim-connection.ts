import type { Socket } from 'node:net';
import type { ContainerState } from '../runtime.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import type { ParamsOf, ResultOf, ShimMethod, ShimReply } from './protocol.ts';

/** How many requests may wait for their answers. */
export const requestsMax = 1024;

/** The agent's end of the control socket: requests with their replies, and events. */
export class ShimConnection {
  readonly #socket: Socket;
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  readonly #subscribers = new Set<(state: ContainerState) => void>();
  readonly #heldListeners = new Set<(service: string) => void>();
  readonly #closed = Promise.withResolvers<void>();
  #nextId = 1;

  constructor(socket: Socket) {
    this.#socket = socket;
    readJsonLines(socket, (value) => this.#onReply(value as ShimReply));
    socket.on('error', () => {});
    socket.once('close', () => {
      for (const { reject } of this.#waiting.values()) reject(connectionLost());
      this.#waiting.clear();
      this.#closed.resolve();
    });
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  call<M extends ShimMethod>(method: M, params: ParamsOf<M>): Promise<ResultOf<M>> {
    if (this.#socket.destroyed) return Promise.reject(connectionLost());
    if (this.#waiting.size >= requestsMax) {
      return Promise.reject(new Error(`more than ${requestsMax} requests wait for the node's shim`));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // The shim answers each method with its own type of result.
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      writeJsonLine(this.#socket, { id, method, params });
    });
  }

  subscribe(listener: (state: ContainerState) => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }

  onHeld(listener: (service: string) => void): void {
    this.#heldListeners.add(listener);
  }

  onDisconnect(listener: () => void): () => void {
    let isWanted = true;
    void this.closed.then(() => {
      if (isWanted) listener();
    });
    return () => {
      isWanted = false;
    };
  }

  async close(): Promise<void> {
    this.#socket.end();
    await this.closed;
  }

  #onReply(reply: ShimReply): void {
    if ('event' in reply) {
      if (reply.event === 'held') for (const listener of this.#heldListeners) listener(reply.service);
      else for (const subscriber of this.#subscribers) subscriber(reply.state);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(new Error(reply.error.message));
    else waiting?.resolve(reply.result);
  }
}

function connectionLost(): Error {
  return Object.assign(new Error("the connection to the node's shim was lost"), { code: 'ECONNRESET' });
}
