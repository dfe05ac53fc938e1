/** Clients are asked to stay away for longer while many are refused; Kubernetes' own bounds. */
const retryAfterSecondsMax = 32;

/** How soon those who are refused may come again, by how many were refused lately. */
export class DroppedRequests {
  retryAfterSeconds = 1;
  readonly #now: () => number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  record(): void {
    const nowMs = this.#now();
    const seconds = this.retryAfterSeconds;
    if (nowMs - this.#sinceMs >= seconds * 1000) {
      // Refused within the time that clients were asked to stay away: three for each second of it are too many.
      if (this.#count >= 3 * seconds) this.retryAfterSeconds = Math.min(2 * seconds, retryAfterSecondsMax);
      else if (this.#count < seconds) this.retryAfterSeconds = Math.max(1, seconds - 1);
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
  }
}
