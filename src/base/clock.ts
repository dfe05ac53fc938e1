/** A cancelled timer does nothing. */
export type CancelTimer = () => void;

/** Time as a capability, so that tests decide when it passes. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Runs `action` once after `delayMs`. */
  after(delayMs: number, action: () => void): CancelTimer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/** A clock for tests: time stands still until `advance`. */
export class FakeClock implements Clock {
  #nowMs: number;
  #timers: { dueMs: number; action: () => void }[] = [];

  constructor(startMs = Date.parse('2026-01-01T00:00:00Z')) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): CancelTimer {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time on, running what falls due in order, and lets promises settle after each. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    // What was started just before may be about to set its timers.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      const next = this.#timers.filter((t) => t.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.action();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowMs = endMs;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The newest second that was written; a busy server writes it thousands of times. */
let written = { second: Number.NaN, text: '' };

/** The RFC 3339 form with whole seconds that `metav1.Time` uses. */
export function toTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== written.second) {
    written = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  }
  return written.text;
}

/** The RFC 3339 form with microseconds that `metav1.MicroTime` uses. */
export function toMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}
