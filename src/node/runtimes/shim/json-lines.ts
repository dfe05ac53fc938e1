import type { Socket } from 'node:net';

/** The longest message; a route table of some ten thousand endpoints fits. */
export const lineBytesMax = 16 * 2 ** 20;
/** How much may wait to be sent to a peer that doesn't read before it is cut off. */
export const unsentBytesMax = 64 * 2 ** 20;

/** Calls back with each line's JSON value; a line that is too long or no JSON ends the connection. */
export function readJsonLines(socket: Socket, onValue: (value: unknown) => void): void {
  let parts: Buffer[] = [];
  let size = 0;
  socket.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]);
      parts = [];
      size = 0;
      start = end + 1;
      let value: unknown;
      try {
        value = JSON.parse(line.toString('utf8'));
      } catch {
        socket.destroy(new Error('received a line that is not JSON'));
        return;
      }
      onValue(value);
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > lineBytesMax) socket.destroy(new Error(`received a line of more than ${lineBytesMax} bytes`));
  });
}

export function writeJsonLine(socket: Socket, value: unknown): void {
  if (socket.destroyed) return;
  socket.write(`${JSON.stringify(value)}\n`);
  if (socket.writableLength > unsentBytesMax) socket.destroy(new Error('the peer does not read'));
}
