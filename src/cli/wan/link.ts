import type { Clock } from '../../base/clock.ts';

export interface LinkShape {
  /** One way, milliseconds. */
  delayMs: number;
  /** In each direction, shared by all connections. */
  bitsPerSecond: number;
}

/**
 * One direction of a simulated wide-area link: what is sent is serialised at the link's rate behind whatever
 * was sent before it, then travels for the link's delay. Order is kept.
 */
export class LinkDirection {
  readonly #clock: Clock;
  readonly #shape: LinkShape;
  #freeAtMs = 0;
  #underWay: { dueMs: number; deliver: () => void }[] = [];
  /** Bytes that entered this direction so far. */
  bytes = 0;

  constructor(clock: Clock, shape: LinkShape) {
    this.#clock = clock;
    this.#shape = shape;
  }

  /** Calls `deliver` when `byteCount` bytes have arrived at the other end. */
  send(byteCount: number, deliver: () => void): void {
    this.bytes += byteCount;
    const startMs = Math.max(this.#clock.nowMs(), this.#freeAtMs);
    this.#freeAtMs = startMs + (byteCount * 8000) / this.#shape.bitsPerSecond;
    this.#underWay.push({ dueMs: this.#freeAtMs + this.#shape.delayMs, deliver });
    if (this.#underWay.length === 1) this.#wait();
  }

  /** One timer for the oldest, since timers of different lengths may fire out of order. */
  #wait(): void {
    const oldest = this.#underWay[0];
    if (oldest) this.#clock.after(oldest.dueMs - this.#clock.nowMs(), () => this.#arrive());
  }

  #arrive(): void {
    while (this.#underWay[0] && this.#underWay[0].dueMs <= this.#clock.nowMs() + timerSlackMs) {
      this.#underWay.shift()!.deliver();
    }
    this.#wait();
  }
}

/** Timers count whole milliseconds. */
const timerSlackMs = 0.999;
