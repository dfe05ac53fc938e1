import type { ChildProcess } from 'node:child_process';
import type { Server, Socket } from 'node:net';
import type { ToPod } from '../isolate/messages.ts';

/** How many sockets may be on their way to one pod; a pod that takes none in gets no more. */
export const handOversMax = 1024;

/** Hands messages and unread sockets to a child process, in order and bounded. */
export class HandOver {
  readonly #child: ChildProcess;
  #pending = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** False if the child is gone or takes nothing in; the socket is then still the caller's. */
  send(message: ToPod, socket?: Socket): boolean {
    if (!this.#child.connected || this.#pending >= handOversMax) return false;
    this.#pending += 1;
    if (socket) detach(socket);
    try {
      this.#child.send(message, socket, { keepOpen: false }, () => {
        this.#pending -= 1;
      });
      return true;
    } catch {
      this.#pending -= 1;
      return false;
    }
  }
}

/**
 * Makes the server forget the socket. Otherwise Node would have the child tell of each close, so that the parent's
 * server can count connections that it no longer has.
 */
function detach(socket: Socket): void {
  const owned = socket as unknown as { server: Server | null; _server: Server | null };
  const counting = owned._server as unknown as { _connections: number } | null;
  if (counting) counting._connections -= 1;
  owned.server = null;
  owned._server = null;
}
