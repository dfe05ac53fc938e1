import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';
import type { Exchange } from './serve.ts';

/** A client that takes nothing of a stream for so long is cut off. */
export const drainTimeoutMs = 60_000;

/** Sends a long answer in parts as they come, never more of them than the client takes. */
export async function writeParts(
  { response, signal }: Exchange,
  answer: { code: number; headers: Record<string, string> },
  body: { first: readonly string[]; rest: AsyncGenerator<string>; isGzip: boolean },
): Promise<void> {
  const headers: Record<string, string> = { ...answer.headers };
  if (body.isGzip) {
    headers['content-encoding'] = 'gzip';
    headers.vary = headers.vary ? `${headers.vary}, Accept-Encoding` : 'Accept-Encoding';
  }
  response.writeHead(answer.code, headers);
  const gzip = body.isGzip ? createGzip({ level: constants.Z_BEST_SPEED }) : undefined;
  gzip?.pipe(response);
  const sink: Writable | ServerResponse = gzip ?? response;
  try {
    if (!sink.write(body.first.join(''))) await drained(response, signal, sink);
    for await (const part of body.rest) {
      if (signal.aborted) break;
      if (!sink.write(part)) await drained(response, signal, sink);
    }
    if (signal.aborted) gzip?.destroy();
    else sink.end();
  } catch {
    // The head is out: cut off is all that a client can be told now, and it will ask again.
    gzip?.destroy();
    response.destroy();
  }
}

/** Waits until `sink` takes more; a client that takes nothing for a minute loses its connection. */
export function drained(
  response: ServerResponse,
  signal: AbortSignal,
  sink: Writable | ServerResponse = response,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => response.destroy(), drainTimeoutMs);
    const end = () => {
      clearTimeout(timer);
      sink.removeListener('drain', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    sink.once('drain', end);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
