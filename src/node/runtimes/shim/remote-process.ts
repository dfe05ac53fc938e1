import { once } from 'node:events';
import net from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import {
  frame,
  type ProcessEnd,
  type ProcessRequest,
  readFrames,
  stdinWindowBytes,
  writeFrame,
} from '../frames.ts';
import type { RunningProcess } from '../runtime.ts';

/** Runs a command in a container, or attaches to its program, over the shim's private socket. */
export async function openProcess(path: string, request: ProcessRequest): Promise<RunningProcess> {
  const socket = net.connect({ path });
  await once(socket, 'connect');
  writeFrame(socket, frame.request, JSON.stringify(request));
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const ended = Promise.withResolvers<ProcessEnd>();
  let how: ProcessEnd = { message: "the connection to the node's shim was lost" };
  const output = (stream: PassThrough, chunk: Buffer) => {
    if (stream.destroyed || stream.write(chunk)) return;
    socket.pause();
    stream.once('drain', () => socket.resume());
  };
  const stdin = new WindowedInput(socket);
  readFrames(socket, (kind, content) => {
    if (kind === frame.stdout) output(stdout, content);
    else if (kind === frame.stderr) output(stderr, content);
    else if (kind === frame.stdinTaken) stdin.taken(Number(content.toString()));
    // The shim wrote it.
    else if (kind === frame.end) how = JSON.parse(content.toString()) as ProcessEnd;
  });
  socket.on('error', () => {});
  socket.once('close', () => {
    stdin.destroy();
    stdout.end();
    stderr.end();
    ended.resolve(how);
  });
  return {
    stdin,
    stdout,
    stderr,
    ended: ended.promise,
    resize: (size) => void writeFrame(socket, frame.resize, JSON.stringify(size)),
    kill: () => {
      for (const stream of [stdout, stderr]) stream.resume();
      socket.destroy();
    },
  };
}

/** A chunk may be larger than the window. */
const partBytes = 64 * 1024;

/** Standard input of the remote process: no more is under way than its window. */
class WindowedInput extends Writable {
  readonly #socket: net.Socket;
  #underWay = 0;
  #waiting: (() => void) | undefined;

  constructor(socket: net.Socket) {
    super({ highWaterMark: stdinWindowBytes });
    this.#socket = socket;
    this.on('error', () => {});
  }

  taken(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay >= stdinWindowBytes) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const part = chunk.subarray(0, partBytes);
    this.#underWay += part.length;
    writeFrame(this.#socket, frame.stdin, part);
    const next = () => {
      if (part.length === chunk.length || this.destroyed) done();
      else this._write(chunk.subarray(part.length), _encoding, done);
    };
    if (this.#underWay < stdinWindowBytes) next();
    else this.#waiting = next;
  }

  override _final(done: () => void): void {
    writeFrame(this.#socket, frame.stdinEnd, '');
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#waiting?.();
    done(error);
  }
}
