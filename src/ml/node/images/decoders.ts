import { Worker } from 'node:worker_threads';
import { besideModule, ThreadPool } from '../thread-pool.ts';
import { ImageError } from './pixels.ts';

export interface DecodeRequest {
  path: string;
  height: number;
  width: number;
  channels: 1 | 3;
}

export type DecodeReply =
  | { id: number; pixels: Uint8Array }
  /** `isImage`: whether the file's content is at fault, rather than the disk. */
  | { id: number; isImage: boolean; reason: string };

/** Threads that decode image files. */
export class Decoders {
  readonly #pool: ThreadPool<DecodeRequest, DecodeReply>;

  constructor(threads: number) {
    const url = besideModule('decode-worker', import.meta.url);
    this.#pool = new ThreadPool({ threads, start: () => new Worker(url, { execArgv: [] }) });
  }

  /** The image [height, width, channels] of a file.
   * @throws ImageError for a bad image, Error for a file that cannot be read. */
  async decode(request: DecodeRequest): Promise<Uint8Array> {
    const reply = await this.#pool.ask(request);
    if ('pixels' in reply) return reply.pixels;
    throw reply.isImage ? new ImageError(reply.reason) : new Error(reply.reason);
  }
}
