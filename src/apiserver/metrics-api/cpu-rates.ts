/** How much processor time things have used since they began, in nanoseconds, at a moment. */
export interface CpuSample {
  atMs: number;
  nanos: ReadonlyMap<string, number>;
}

export interface CpuRates {
  windowMs: number;
  /** Billionths of a core. What began or began anew within the window has none. */
  nanocores: ReadonlyMap<string, number>;
}

/** A rate is taken over at least so long once samples come regularly. */
const windowMs = 15_000;
/** Samples older than this say nothing of now. */
export const staleMs = 120_000;

/** Turns ever growing counters into rates, over a window of 15 to 30 seconds, or less at the beginning. */
export class CpuWindow {
  #base: CpuSample | undefined;
  #next: CpuSample | undefined;

  /** Undefined where there is nothing to compare with yet. */
  add(sample: CpuSample): CpuRates | undefined {
    const base = this.#base;
    if (!base || !this.#next || sample.atMs - this.#next.atMs > staleMs) {
      this.#base = this.#next = sample;
      return undefined;
    }
    if (sample.atMs - this.#next.atMs >= windowMs) {
      this.#base = this.#next;
      this.#next = sample;
    }
    return ratesOf(this.#base ?? base, sample);
  }

  isStale(nowMs: number): boolean {
    return !this.#next || nowMs - this.#next.atMs > staleMs;
  }
}

function ratesOf(from: CpuSample, to: CpuSample): CpuRates | undefined {
  const elapsedMs = to.atMs - from.atMs;
  if (elapsedMs <= 0) return undefined;
  const nanocores = new Map<string, number>();
  for (const [key, nanos] of to.nanos) {
    const before = from.nanos.get(key);
    // Less than before: it was started again.
    if (before !== undefined && nanos >= before) {
      nanocores.set(key, Math.round(((nanos - before) * 1000) / elapsedMs));
    }
  }
  return { windowMs: elapsedMs, nanocores };
}
