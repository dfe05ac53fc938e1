import type { Clock } from '../base/clock.ts';

/** After this long a change that never showed up is no longer waited for. */
export const expectationMs = 5 * 60_000;

/**
 * Creations and deletions that a controller has asked for and not seen in its cache yet. While some are open
 * the cache is behind, and counting from it would create or delete too much.
 */
export class Expectations {
  #clock: Clock;
  #open = new Map<string, { creations: number; deletions: Set<string>; sinceMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expectCreations(key: string, count: number): void {
    this.#open.set(key, { creations: count, deletions: new Set(), sinceMs: this.#clock.nowMs() });
  }

  expectDeletions(key: string, uids: readonly string[]): void {
    // What is still awaited of the same round stays.
    const creations = this.areMet(key) ? 0 : this.#open.get(key)!.creations;
    this.#open.set(key, { creations, deletions: new Set(uids), sinceMs: this.#clock.nowMs() });
  }

  /** A creation was seen, or will never be because it failed. */
  creationSeen(key: string): void {
    const open = this.#open.get(key);
    if (open) open.creations--;
  }

  deletionSeen(key: string, uid: string): void {
    this.#open.get(key)?.deletions.delete(uid);
  }

  areMet(key: string): boolean {
    const open = this.#open.get(key);
    if (!open) return true;
    const isOld = open.sinceMs + expectationMs <= this.#clock.nowMs();
    return isOld || (open.creations <= 0 && open.deletions.size === 0);
  }

  forget(key: string): void {
    this.#open.delete(key);
  }
}
