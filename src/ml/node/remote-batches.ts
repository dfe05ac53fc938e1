import type { MessagePort } from 'node:worker_threads';
import type { Batch, BatchSource } from '../training/engine.ts';
import type { Reply, Request } from './messages.ts';

/** Batches that are asked for before they are needed, so that they are made while the one before is worked on. */
const batchesAhead = 2;

interface Waiting {
  resolve(batch: Batch | undefined): void;
  reject(error: unknown): void;
}

/** In the worker: batch sources that live in the main thread. */
export class RemoteBatches {
  readonly #send: (reply: Reply) => void;
  readonly #waiting = new Map<number, Waiting[]>();
  #count = 0;

  constructor(port: Pick<MessagePort, 'postMessage'>) {
    this.#send = (reply) => port.postMessage(reply);
  }

  source(source: number): BatchSource {
    return { batches: ({ epoch, fromBatch }) => this.#stream({ source, epoch, fromBatch }) };
  }

  /** Takes what the main thread sent for a stream. */
  receive(request: Request & { kind: 'batch' | 'batchError' }): void {
    const waiting = this.#waiting.get(request.stream)?.shift();
    if (request.kind === 'batch') waiting?.resolve(request.batch);
    else waiting?.reject(request.error);
  }

  async *#stream(open: { source: number; epoch: number; fromBatch: number }): AsyncGenerator<Batch> {
    this.#count += 1;
    const stream = this.#count;
    this.#waiting.set(stream, []);
    const pull = (first = false): Promise<Batch | undefined> => {
      const { promise, resolve, reject } = Promise.withResolvers<Batch | undefined>();
      // One that is never awaited, as the pass ended before it, may fail.
      promise.catch(() => {});
      this.#waiting.get(stream)!.push({ resolve, reject });
      this.#send({ kind: 'pull', stream, ...(first && { open }) });
      return promise;
    };
    const ahead = [pull(true)];
    while (ahead.length < batchesAhead) ahead.push(pull());
    try {
      for (;;) {
        const batch = await ahead.shift()!;
        if (!batch) return;
        ahead.push(pull());
        yield batch;
      }
    } finally {
      this.#waiting.delete(stream);
      this.#send({ kind: 'closeStream', stream });
    }
  }
}

/** In the main thread: answers a worker's requests for batches. */
export class BatchStreams {
  readonly #send: (request: Request) => void;
  readonly #sources = new Map<number, BatchSource>();
  readonly #streams = new Map<number, AsyncIterator<Batch>>();
  #count = 0;

  constructor(port: { postMessage(request: Request): void }) {
    this.#send = (request) => port.postMessage(request);
  }

  add(source: BatchSource): number {
    this.#count += 1;
    this.#sources.set(this.#count, source);
    return this.#count;
  }

  remove(source: number): void {
    this.#sources.delete(source);
  }

  async pull({ stream, open }: Reply & { kind: 'pull' }): Promise<void> {
    if (open) {
      const source = this.#sources.get(open.source)!;
      this.#streams.set(stream, source.batches(open)[Symbol.asyncIterator]());
    }
    try {
      const next = await this.#streams.get(stream)?.next();
      this.#send({ kind: 'batch', stream, batch: next?.done ? undefined : next?.value });
    } catch (error) {
      this.#send({ kind: 'batchError', stream, error });
    }
  }

  async close(stream: number): Promise<void> {
    const iterator = this.#streams.get(stream);
    this.#streams.delete(stream);
    // The pass is over; what its source throws while it tidies up concerns nobody.
    await Promise.resolve(iterator?.return?.()).catch(() => {});
  }

  closeAll(): void {
    for (const stream of this.#streams.keys()) this.close(stream);
  }
}
