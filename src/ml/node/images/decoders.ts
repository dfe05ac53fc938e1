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

/** Threads that decode image files, used in turn. They do not keep the process alive by themselves. */
export class Decoders {
  readonly #workers: Worker[];
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor(threads: number) {
    // Installed from npm this is JavaScript, in the repository TypeScript.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    const url = new URL(`./decode-worker${extension}`, import.meta.url);
    this.#workers = Array.from({ length: threads }, () => {
      const worker = new Worker(url, { execArgv: [] });
      worker.on('message', (reply: DecodeReply) => this.#receive(reply));
      worker.on('error', (error) => this.#fail(error as Error));
      return worker;
    });
  }

  /** The image [height, width, channels] of a file.
   * @throws ImageError for a bad image, Error for a file that cannot be read. */
  decode(request: Omit<DecodeRequest, 'id'>): Promise<Uint8Array> {
    const id = this.#count;
    this.#count += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { resolve, reject });
    this.#workers[id % this.#workers.length]!.postMessage({ ...request, id } satisfies DecodeRequest);
    return promise;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#fail(new Error('The decoding threads are closed'));
  }

  #receive(reply: DecodeReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('pixels' in reply) waiting?.resolve(reply.pixels);
    else waiting?.reject(reply.isImage ? new ImageError(reply.reason) : new Error(reply.reason));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
