import { setTimeout as delay } from 'node:timers/promises';
import type { ApiRequest, ApiResponse, Transport } from './transport.ts';

/** A request that the server puts off comes again so often; client-go's own number. */
export const retriesMax = 10;
/** A server that asks for longer is told of as it is: whoever asked has a back-off of its own. */
export const retryAfterSecondsMax = 60;

/** Sends again, when it may, what the server puts off with `Retry-After` (429, or an error of its own), as client-go does. */
export function retryingLater(
  transport: Transport,
  wait: (ms: number, signal?: AbortSignal) => Promise<void> = waitFor,
): Transport {
  return async (request: ApiRequest): Promise<ApiResponse> => {
    for (let retries = 0; ; retries++) {
      const answer = await transport(request);
      const seconds = secondsUntil(answer);
      if (seconds === undefined || retries === retriesMax) return answer;
      await wait(seconds * 1000, request.signal);
    }
  };
}

/** Only seconds are understood: no API server sends a date. */
function secondsUntil({ code, headers }: ApiResponse): number | undefined {
  const text = headers['retry-after'];
  if ((code !== 429 && code < 500) || text === undefined || !/^\d+$/.test(text)) return undefined;
  const seconds = Number(text);
  return seconds <= retryAfterSecondsMax ? seconds : undefined;
}

function waitFor(ms: number, signal?: AbortSignal): Promise<void> {
  return delay(ms, undefined, signal && { signal });
}
