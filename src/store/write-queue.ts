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
 * Group commit: writes that arrive in the same turn of the event loop are committed together, so that they share
 * one flush to disk. `commit` answers for each write of the batch, or throws when nothing was committed.
 */
export class WriteQueue<W, R> {
  #pending: Pending<W, R>[] = [];
  #pendingBytes = 0;
  #scheduled = false;
  #closed = false;
  #commit: (batch: W[]) => Outcome<R>[];
  #bounds: { writesMax: number; bytesMax: number; batchMax: number };

  constructor(
    commit: (batch: W[]) => Outcome<R>[],
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
      this.#schedule();
    });
  }

  /** Commits all that waits and refuses what comes later. */
  close(): void {
    this.#closed = true;
    while (this.#pending.length > 0) this.#flush();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
      if (this.#pending.length > 0) this.#schedule();
    });
  }

  #flush(): void {
    const batch = this.#pending.splice(0, this.#bounds.batchMax);
    if (batch.length === 0) return;
    for (const { bytes } of batch) this.#pendingBytes -= bytes;
    try {
      const outcomes = this.#commit(batch.map(({ write }) => write));
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
