import type { Socket } from 'node:net';
import { type Unavailable, unavailableText } from '../../../mesh/unavailable.ts';

/** Who says nothing in this time gets no answer. */
const askedWithinMs = 1_000;
const lingerMs = 1_000;

/** Ends a connection that was held in vain: with a 503 where HTTP/1 is spoken, else with a reset. */
export function refuseHeld(socket: Socket, error: Unavailable): void {
  const timer = setTimeout(() => socket.resetAndDestroy(), askedWithinMs);
  socket.once('close', () => clearTimeout(timer));
  socket.once('data', (first: Buffer) => {
    clearTimeout(timer);
    const isHttp = /^[A-Z]{1,20} [^\r\n]* HTTP\/1\.[01]\r?\n/.test(first.toString('latin1'));
    if (!isHttp) return socket.resetAndDestroy();
    // The rest of the request is read away: a close with bytes unread would be a reset, and lose the answer.
    socket.end(unavailableText(error));
    setTimeout(() => socket.destroy(), lingerMs).unref();
  });
  // Taken paused; what is read after the answer goes nowhere.
  socket.resume();
}
