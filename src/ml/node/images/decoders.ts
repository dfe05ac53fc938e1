import { Worker } from 'node:worker_threads';
import { ImageError } from './pixels.ts';

export interface DecodeRequest {
  id: number;
  path: string;
  height: number;
  width: number;
  channels: 1 | 3;
}

export type DecodeReply =
  | { id: number; pixels: Uint8Array }
  /** `isImage`: whether the file's content is at fault, rather than the disk. */
  | { id: number; isImage: boolean; reason: string };

interface Waiting {
  resolve(pixels: Uint8Array): void;
  reject(error: Error): void;
}

/** Threads without work end after this long: starting them takes about as long as decoding ten photographs. */
const idleMs = 5000;

/** Threads that decode image files, used in turn; they start with the first file. Without work they do not keep the
 * process alive. */
export class Decoders {
  readonly #threads: number;
  #workers: Worker[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** The image [height, width, channels] of a file.
   * @throws ImageError for a bad image, Error for a file that cannot be read. */
  decode(request: Omit<DecodeRequest, 'id'>): Promise<Uint8Array> {
    clearTimeout(this.#idle);
    if (this.#workers.length === 0)
      this.#workers = Array.from({ length: this.#threads }, () => this.#start());
    for (const worker of this.#workers) worker.ref();
    const id = this.#count;
    this.#count += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { resolve, reject });
    this.#workers[id % this.#workers.length]!.postMessage({ ...request, id } satisfies DecodeRequest);
    return promise;
  }

  #start(): Worker {
    // Installed from npm this is JavaScript, in the repository TypeScript.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    const worker = new Worker(new URL(`./decode-worker${extension}`, import.meta.url), { execArgv: [] });
    worker.on('message', (reply: DecodeReply) => this.#receive(reply));
    worker.on('error', (error) => this.#fail(error as Error));
    return worker;
  }

  #rest(): void {
    for (const worker of this.#workers) worker.unref();
    this.#idle = setTimeout(() => this.#end(), idleMs).unref();
  }

  #end(): void {
    for (const worker of this.#workers) void worker.terminate();
    this.#workers = [];
  }

  #receive(reply: DecodeReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#rest();
    if ('pixels' in reply) waiting?.resolve(reply.pixels);
    else waiting?.reject(reply.isImage ? new ImageError(reply.reason) : new Error(reply.reason));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#end();
  }
}
