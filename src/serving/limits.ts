import type { Clock } from '../base/clock.ts';
import { StatusError } from '../base/errors.ts';
import type { Inference } from './inference.ts';

/** So many requests wait for each that may be under way, as with Knative. */
export const waitingPerRequest = 10;

/** What KServe's `containerConcurrency` and `timeout` say of all requests to a server; 0: no bound. */
export interface Limits {
  requestsMax: number;
  timeoutMs: number;
}

/**
 * The same inference with at most so many requests under way, and each at most so long, with its waiting. Beyond both
 * bounds it throws ServiceUnavailable, past its time Timeout; a run that has begun ends, and nobody waits for it.
 */
export function withLimits(
  inference: Inference,
  { requestsMax, timeoutMs }: Limits,
  clock: Clock,
): Inference {
  if (requestsMax === 0 && timeoutMs === 0) return inference;
  const waiting: (() => void)[] = [];
  let underWay = 0;

  function enter(): Promise<void> | undefined {
    if (requestsMax === 0 || underWay < requestsMax) {
      underWay += 1;
      return undefined;
    }
    if (waiting.length >= requestsMax * waitingPerRequest) {
      const message = `${underWay} requests are under way and ${waiting.length} wait; a pod takes no more`;
      throw new StatusError('ServiceUnavailable', message, { details: { retryAfterSeconds: 1 } });
    }
    // Who leaves hands its place on, so `underWay` stays.
    return new Promise((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else underWay -= 1;
  }

  return {
    latencies: inference.latencies,
    async infer(target, read) {
      let isLate = false;
      const entered = enter();
      const answered = (async () => {
        await entered;
        try {
          if (isLate) throw late(timeoutMs);
          return await inference.infer(target, read);
        } finally {
          leave();
        }
      })();
      if (timeoutMs === 0) return answered;
      const timer = Promise.withResolvers<never>();
      const cancel = clock.after(timeoutMs, () => {
        isLate = true;
        timer.reject(late(timeoutMs));
      });
      // What comes too late is nobody's.
      answered.catch(() => {});
      try {
        return await Promise.race([answered, timer.promise]);
      } finally {
        cancel();
      }
    },
  };
}

function late(timeoutMs: number): StatusError {
  return new StatusError('Timeout', `no answer within ${timeoutMs / 1000} s`);
}
