import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type DialPort, forward } from './port-forward.ts';

export const portsMax = 16;

const unsupportedData = 1003;

/**
 * Port-forwarding as the client libraries of Python and JavaScript do it, `v4.channel.k8s.io`: one connection for each
 * port that the request names, data on channel 2i, errors on 2i+1; each channel begins with its port, little endian.
 */
export function forwardOverChannels(
  socket: WebSocket,
  ports: readonly number[],
  options: { dial: DialPort; pod: string },
): void {
  const send = (channel: number, data: Buffer, done?: (error?: Error) => void) =>
    socket.send(Buffer.concat([Buffer.of(channel), data]), done);
  const pipes = ports.map((port, index) => {
    const [data, error] = [2 * index, 2 * index + 1].map((channel) => {
      const head = Buffer.alloc(2);
      head.writeUInt16LE(port);
      send(channel, head);
      return new Duplex({
        read: () => socket.resume(),
        write: (bytes: Buffer, _encoding, done) => send(channel, bytes, done),
      }).on('error', () => {});
    });
    const what = `port ${port} of pod ${options.pod}`;
    return { data: data!, ended: forward(data!, error!, () => options.dial(port), what) };
  });
  socket.on('error', () => {});
  socket.on('message', (message: Buffer, isBinary) => {
    const pipe = pipes[message[0]! / 2];
    if (!isBinary || !pipe) return socket.close(unsupportedData, 'no such channel');
    if (message.length > 1 && !pipe.data.push(message.subarray(1))) socket.pause();
  });
  socket.on('close', () => {
    for (const { data } of pipes) data.destroy();
  });
  // The protocol has no way to end one channel; the connection ends with the last.
  void Promise.all(pipes.map(({ ended }) => ended)).then(() => socket.close(1000));
}
