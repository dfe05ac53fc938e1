import { StatusError } from '../../base/errors.ts';
import type { User } from '../user.ts';

/**
 * Requests that one user may have under way or waiting, whatever flow control says of them: what it exempts has a bound
 * too. What stays open (watches, followed logs) is counted by itself.
 */
export const requestsPerUserMax = 1000;
export const streamsPerUserMax = 2000;
const retryAfterSeconds = 1;

/** Keeps one client from taking the whole server's memory. */
export class RequestLimits {
  #requests = new Map<string, number>();
  #streams = new Map<string, number>();

  /** Throws TooManyRequests, which tells the client when to come again; what it returns ends the request. */
  begin(user: User, what: 'request' | 'stream'): () => void {
    const [counts, max] =
      what === 'stream' ? [this.#streams, streamsPerUserMax] : [this.#requests, requestsPerUserMax];
    const count = counts.get(user.name) ?? 0;
    if (count >= max) {
      throw new StatusError(
        'TooManyRequests',
        `too many requests of user ${JSON.stringify(user.name)} are under way (${max}); try again later`,
        { details: { retryAfterSeconds } },
      );
    }
    counts.set(user.name, count + 1);
    return () => {
      const left = counts.get(user.name)! - 1;
      if (left > 0) counts.set(user.name, left);
      else counts.delete(user.name);
    };
  }
}
