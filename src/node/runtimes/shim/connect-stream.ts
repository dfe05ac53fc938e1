import type { Socket } from 'node:net';
import {
  connectRequest,
  connectResponse,
  type HeadResult,
  parseConnectRequest,
  parseConnectResponse,
} from '../../../mesh/connect-head.ts';

/** How long a peer may take to send its head. */
export const headTimeoutMs = 10_000;

/** Reads a CONNECT request off a fresh connection, and nothing beyond it. A bad one is answered 400 and refused. */
export async function readConnect(socket: Socket): Promise<{ ip: string; port: number }> {
  try {
    return await readHead(socket, parseConnectRequest);
  } catch (error) {
    socket.end(connectResponse(400, (error as Error).message));
    throw error;
  }
}

/** Asks the peer for `ip:port` and waits for its 200; after it the socket is paused, and unread unless it stays in this process. */
export async function requestConnect(
  socket: Socket,
  ip: string,
  port: number,
  options: { staysHere?: boolean } = {},
): Promise<void> {
  socket.write(connectRequest(ip, port));
  const { status, reason } = await readHead(socket, parseConnectResponse, options.staysHere);
  if (status === 200) return;
  socket.destroy();
  throw Object.assign(new Error(`${ip}:${port} refused: ${status} ${reason}`), { code: 'ECONNREFUSED' });
}

export function answerConnect(socket: Socket, status: number, reason: string): Promise<void> {
  return new Promise((resolve) => {
    const head = connectResponse(status, reason);
    if (status === 200) socket.write(head, () => resolve());
    else socket.end(head, () => resolve());
  });
}

function readHead<T>(socket: Socket, parse: (bytes: Buffer) => HeadResult<T>, staysHere = false): Promise<T> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (error: Error | undefined, head?: T) => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose);
      socket.pause();
      if (error) reject(error);
      // Only called without an error once there is a head.
      else if (staysHere) resolve(head as T);
      else stopReading(socket, () => resolve(head as T));
    };
    const onClose = () => settle(Object.assign(new Error('connection closed'), { code: 'ECONNRESET' }));
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const result = parse(bytes);
      if (result.kind === 'bad') settle(new Error(result.reason));
      // A socket that goes to another process must not have been read beyond the head.
      else if (result.kind === 'head' && result.rest.length > 0 && !staysHere) {
        settle(new Error('bytes after the head'));
      } else if (result.kind === 'head') {
        settle(undefined, result.head);
        if (result.rest.length > 0) socket.unshift(result.rest);
      }
    };
    const timer = setTimeout(() => settle(new Error('no head in time')), headTimeoutMs);
    socket.on('data', onData).on('close', onClose);
    socket.resume();
  });
}

/**
 * Stops the handle from reading, for a socket that goes to another process: bytes that it read on into the stream's
 * buffer would be lost. Node has no public call for it. A paused stream still asks for one more chunk, in this turn of
 * the event loop; after that it waits for it, and starts the handle no more.
 */
function stopReading(socket: Socket, done: () => void): void {
  setImmediate(() => {
    const { _handle: handle } = socket as unknown as {
      _handle?: { reading: boolean; readStop(): void } | null;
    };
    if (handle) {
      handle.reading = false;
      handle.readStop();
    }
    done();
  });
}
