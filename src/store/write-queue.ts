import { StatusError } from '../base/errors.ts';

interface Pending<W, R> {
  write: W;
  bytes: number;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** What became of one write of a batch. */
export type Outcome<R> = { result: R } | { error: unknown };

/**
 * Group commit: writes that arrive in the same turn of the event loop, or while others are being flushed, are committed
 * together, so that they share one flush to disk. `commit` answers for each write of the batch, or rejects when nothing
 * was committed; the next batch waits for it.
 */
export class WriteQueue<W, R> {
  #pending: Pending<W, R>[] = [];
  #pendingBytes = 0;
  #draining: Promise<void> | undefined;
  #closed = false;
  #commit: (batch: W[]) => Promise<Outcome<R>[]>;
  #bounds: { writesMax: number; bytesMax: number; batchMax: number };

  constructor(
    commit: (batch: W[]) => Promise<Outcome<R>[]>,
    bounds: { writesMax: number; bytesMax: number; batchMax: number },
  ) {
    this.#commit = commit;
    this.#bounds = bounds;
  }

  /** Rejects with TooManyRequests at once when the queue is full. */
  add(write: W, bytes: number): Promise<R> {
    if (this.#closed) return Promise.reject(new StatusError('ServiceUnavailable', 'The store is closed.'));
    if (
      this.#pending.length >= this.#bounds.writesMax ||
      (this.#pending.length > 0 && this.#pendingBytes + bytes > this.#bounds.bytesMax)
    ) {
      return Promise.reject(this.#full());
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ write, bytes, resolve, reject });
      this.#pendingBytes += bytes;
      this.#draining ??= this.#drain();
    });
  }

  /** Refuses what comes later; resolves when all that waits is committed. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      // What else arrives in this turn goes along.
      await new Promise((resolve) => setImmediate(resolve));
      await this.#flush();
    }
    this.#draining = undefined;
  }

  async #flush(): Promise<void> {
    const batch = this.#pending.splice(0, this.#bounds.batchMax);
    for (const { bytes } of batch) this.#pendingBytes -= bytes;
    try {
      const outcomes = await this.#commit(batch.map(({ write }) => write));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index]!;
        if ('error' in outcome) reject(outcome.error);
        else resolve(outcome.result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #full(): StatusError {
    return new StatusError(
      'TooManyRequests',
      `The store has ${this.#pending.length} writes waiting; try again in a second.`,
      { details: { retryAfterSeconds: 1 } },
    );
  }
}
