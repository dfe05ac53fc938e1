import type { CancelTimer, Clock } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import type { Tally } from '../base/metrics.ts';
import { backoffMs } from './backoff.ts';

const retryInitialMs = 200;
const retryMaxMs = 120_000;

export interface WorkQueueOptions {
  clock: Clock;
  log: Log;
  /** Handles one key. Throwing brings it back after a growing wait, a number brings it back after that many ms. */
  process: (key: string, signal: AbortSignal) => Promise<number | undefined> | Promise<void>;
  /** How many keys are handled at once, each by one call at most; 1 by default. */
  concurrency?: number;
  retryInitialMs?: number;
  retryMaxMs?: number;
  /** Counts what the queue does. */
  counts?: WorkQueueCounts | undefined;
  /** In [0, 1); Math.random by default. */
  random?: () => number;
}

/** What a queue does, for its metrics. */
export interface WorkQueueCounts {
  adds: number;
  retries: number;
  readonly waitSeconds: Tally;
  readonly workSeconds: Tally;
}

/** A queue of keys. A key waits once however often it is added, so the queue is as long as there are objects at most. */
export interface WorkQueue extends Running {
  add(key: string): void;
  /** Adds the key after `delayMs`; of several such calls the earliest counts. */
  addAfter(key: string, delayMs: number): void;
  /** Begins to handle keys; what was added before is kept. */
  start(): void;
  /** Keys that wait or are being handled, not those that are delayed. */
  readonly size: number;
  /** Stops taking keys and waits for those in hand. */
  stop(): Promise<void>;
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new KeyedQueue(options);
}

class KeyedQueue implements WorkQueue {
  #options: WorkQueueOptions;
  /** With the time at which each was added. */
  #waiting = new Map<string, number>();
  #active = new Map<string, Promise<void>>();
  /** Added while being handled: the handler may have read the old state. */
  #again = new Set<string>();
  #delayed = new Map<string, { dueMs: number; cancel: CancelTimer }>();
  #failures = new Map<string, number>();
  #isStarted = false;
  #stopping = new AbortController();

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size + this.#active.size;
  }

  add(key: string): void {
    if (this.#stopping.signal.aborted) return;
    const { counts } = this.#options;
    if (counts) counts.adds += 1;
    if (this.#active.has(key)) this.#again.add(key);
    else if (!this.#waiting.has(key)) this.#waiting.set(key, counts ? performance.now() : 0);
    this.#next();
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    const { clock } = this.#options;
    const dueMs = clock.nowMs() + delayMs;
    const earlier = this.#delayed.get(key);
    if (earlier && earlier.dueMs <= dueMs) return;
    earlier?.cancel();
    const cancel = clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  start(): void {
    this.#isStarted = true;
    this.#next();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.clear();
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    await Promise.all(this.#active.values());
  }

  #next(): void {
    const { concurrency = 1 } = this.#options;
    while (this.#isStarted && this.#active.size < concurrency) {
      const [first] = this.#waiting;
      if (!first) return;
      const [key, sinceMs] = first;
      this.#waiting.delete(key);
      this.#options.counts?.waitSeconds.observe((performance.now() - sinceMs) / 1000);
      this.#active.set(key, this.#handle(key));
    }
  }

  async #handle(key: string): Promise<void> {
    // Handlers start on a turn of their own, so that `add` never runs one and #active holds it by then.
    await Promise.resolve();
    const { counts } = this.#options;
    const startMs = counts ? performance.now() : 0;
    try {
      const againAfterMs = await this.#options.process(key, this.#stopping.signal);
      this.#failures.delete(key);
      if (typeof againAfterMs === 'number') this.addAfter(key, againAfterMs);
    } catch (error) {
      if (counts) counts.retries += 1;
      this.#retry(key, error);
    } finally {
      counts?.workSeconds.observe((performance.now() - startMs) / 1000);
      this.#active.delete(key);
      if (this.#again.delete(key)) this.add(key);
      this.#next();
    }
  }

  #retry(key: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const { log, random } = this.#options;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = backoffMs(failures, {
      initialMs: this.#options.retryInitialMs ?? retryInitialMs,
      maxMs: this.#options.retryMaxMs ?? retryMaxMs,
      ...(random && { random }),
    });
    // A conflict is how optimistic writers meet: the next try reads the newer object.
    const level = isStatus(error, 'Conflict') || isStatus(error, 'ServiceUnavailable') ? 'debug' : 'warn';
    log[level]('will retry', { key, failures, delayMs, error: messageOf(error) });
    this.addAfter(key, delayMs);
  }
}
