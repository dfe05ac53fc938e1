import type { IncomingMessage } from 'node:http';
import { StatusError } from '../../base/errors.ts';
import { isTrue } from '../request-info.ts';
import type { User } from '../user.ts';

/** Requests that one user may have under way; what stays open (watches, followed logs) is counted by itself. */
export const requestsPerUserMax = 200;
export const streamsPerUserMax = 2000;
const retryAfterSeconds = 1;

type Counted = { counts: Map<string, number>; user: string };

/** Keeps one client from taking the whole server. */
export class RequestLimits {
  #requests = new Map<string, number>();
  #streams = new Map<string, number>();
  #underWay = new WeakMap<IncomingMessage, Counted>();

  /** Throws TooManyRequests, which tells the client when to come again. */
  begin(request: IncomingMessage, user: User, url: URL, staysOpen = false): void {
    const isStream =
      staysOpen || isTrue(url.searchParams.get('watch')) || isTrue(url.searchParams.get('follow'));
    const [counts, max] = isStream
      ? [this.#streams, streamsPerUserMax]
      : [this.#requests, requestsPerUserMax];
    const count = counts.get(user.name) ?? 0;
    if (count >= max) {
      throw new StatusError(
        'TooManyRequests',
        `too many requests of user ${JSON.stringify(user.name)} are under way (${max}); try again later`,
        {
          details: { retryAfterSeconds },
        },
      );
    }
    counts.set(user.name, count + 1);
    this.#underWay.set(request, { counts, user: user.name });
  }

  /** Ends what `begin` began; harmless where it did not. */
  end(request: IncomingMessage): void {
    const counted = this.#underWay.get(request);
    if (!counted) return;
    this.#underWay.delete(request);
    const count = counted.counts.get(counted.user)! - 1;
    if (count > 0) counted.counts.set(counted.user, count);
    else counted.counts.delete(counted.user);
  }
}
