import { StatusError } from '../../base/errors.ts';
import { badRequest } from '../failures.ts';
import { parseGoDuration } from '../go-duration.ts';

/** A request that does not stay open is answered by then, as kube-apiserver has it. */
export const requestTimeoutMs = 60_000;

/** How long a request may take: what `?timeout=` asks for, at most a minute. Throws BadRequest for no duration. */
export function readTimeout(query: URLSearchParams): number {
  const text = query.get('timeout');
  if (!text) return requestTimeoutMs;
  const ms = parseGoDuration(text);
  if (ms === undefined) {
    throw badRequest(
      `invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text)}`,
    );
  }
  return ms > 0 ? Math.min(ms, requestTimeoutMs) : requestTimeoutMs;
}

/** Rejects with Timeout when `work` has not ended in time; it goes on unheard, as in Kubernetes. */
export function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const text = 'Timeout: request did not complete within requested timeout - context deadline exceeded';
      reject(new StatusError('Timeout', text, { details: {} }));
    }, timeoutMs);
    const settle =
      <V>(then: (value: V) => void) =>
      (value: V) => {
        clearTimeout(timer);
        then(value);
      };
    work.then(settle(resolve), settle(reject));
  });
}
