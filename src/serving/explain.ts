import { isStatus, messageOf } from '../base/errors.ts';
import { bodyBytesMax, type HttpAnswer, type HttpRequest, jsonAnswer } from './http-exchange.ts';

type Handle = (request: HttpRequest) => Promise<HttpAnswer>;

/** Of `explain` requests that are under way; one more is told to come back. */
export const explanationsMax = 64;
const timeoutMsDefault = 60_000;

/**
 * Passes KServe's V1 `POST /v1/models/NAME:explain` on to the explainer, and its answer back, so that one address has both. All
 * else is answered as before.
 */
export function withExplainer(
  handle: Handle,
  {
    host,
    fetch,
    timeoutMs = timeoutMsDefault,
  }: { host: string; fetch: typeof globalThis.fetch; timeoutMs?: number },
): Handle {
  let underWay = 0;
  return async (request) => {
    if (request.method !== 'POST' || !/^\/v1\/models\/[^/:]+:explain$/.test(request.path))
      return handle(request);
    if (underWay >= explanationsMax)
      return jsonAnswer({ error: `${explanationsMax} explanations are under way` }, 503, {
        'retry-after': '1',
      });
    underWay += 1;
    try {
      const answer = await fetch(`http://${host}${request.path}`, {
        method: 'POST',
        headers: { 'content-type': request.header('content-type') ?? 'application/json' },
        // A body is no shared memory.
        body: (await request.read()) as Uint8Array<ArrayBuffer>,
        signal: AbortSignal.timeout(timeoutMs),
      });
      const type = answer.headers.get('content-type');
      return {
        status: answer.status,
        headers: type ? { 'content-type': type } : {},
        body: await bytesOf(answer),
      };
    } catch (error) {
      if (isStatus(error)) return jsonAnswer({ error: error.message }, error.code);
      return jsonAnswer({ error: `the explainer at ${host} gave no answer: ${messageOf(error)}` }, 503);
    } finally {
      underWay -= 1;
    }
  };
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > bodyBytesMax) throw new Error(`it is longer than ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
