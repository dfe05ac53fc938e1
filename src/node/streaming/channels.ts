import { PassThrough, type Readable, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Status } from '../../base/errors.ts';
import { decodeSize, type TerminalSize } from '../runtimes/frames.ts';

/** What `exec` and `attach` talk through, whatever carries it. */
export interface Channels {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** Calls back with each size of the client's terminal, the last one at once. */
  onResize(listener: (size: TerminalSize) => void): void;
  /** Aborted when the client is gone. */
  signal: AbortSignal;
  /** Sends how it ended, and ends the connection once all is sent. */
  finish(status: ExitStatus): Promise<void>;
}

/** A Status as the error channel carries it. */
export type ExitStatus =
  | { metadata: object; status: 'Success' }
  | (Pick<Status, 'message'> & {
      metadata: object;
      status: 'Failure';
      reason: string;
      code: number;
      details?: { causes: { reason: string; message: string }[] };
    });

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const normalClosure = 1000;
const unsupportedData = 1003;
const stdinBytesMax = 1024 * 1024;

export const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** The sizes that a client tells; those from before somebody listens are not lost. */
export class Resizes {
  #last: TerminalSize | undefined;
  #listener: ((size: TerminalSize) => void) | undefined;

  take(text: string): void {
    const size = decodeSize(text);
    if (!size) return;
    this.#last = size;
    this.#listener?.(size);
  }

  subscribe(listener: (size: TerminalSize) => void): void {
    this.#listener = listener;
    if (this.#last) listener(this.#last);
  }
}

/** Channels over WebSocket: the first byte of each message names its channel; from version 5 on, 255 ends one. */
export function webSocketChannels(socket: WebSocket): Channels {
  const gone = new AbortController();
  const stdin = new PassThrough({ highWaterMark: stdinBytesMax });
  stdin.on('drain', () => socket.resume());
  const resizes = new Resizes();
  socket.on('message', (message: Buffer, isBinary) => {
    if (!isBinary) return socket.close(unsupportedData, 'messages must be binary');
    const isClose = message[0] === channel.close && message[1] === channel.stdin;
    if (isClose) stdin.end();
    if (message[0] === channel.resize) resizes.take(message.toString('utf8', 1));
    if (message[0] !== channel.stdin || stdin.writableEnded) return;
    if (message.length > 1 && !stdin.write(message.subarray(1))) socket.pause();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    stdin.destroy();
    gone.abort();
  });
  const send = (name: 'stdout' | 'stderr' | 'error', data: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      const message = Buffer.concat([Buffer.of(channel[name]), data]);
      socket.send(message, (error) => (error ? reject(error) : resolve()));
    });
  const output = (name: 'stdout' | 'stderr') =>
    new Writable({
      write: (data: Buffer, _encoding, done) => {
        send(name, data).then(() => done(), done);
      },
    }).on('error', () => {});
  return {
    stdin,
    stdout: output('stdout'),
    stderr: output('stderr'),
    onResize: (listener) => resizes.subscribe(listener),
    signal: gone.signal,
    async finish(status) {
      if (gone.signal.aborted) return;
      await send('error', Buffer.from(JSON.stringify(status))).catch(() => {});
      socket.resume();
      socket.close(normalClosure);
    },
  };
}
