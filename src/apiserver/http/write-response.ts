import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip as gzipCallback } from 'node:zlib';
import type { ApiResponse, WatchEvent } from '../../client/transport.ts';
import { readAccept } from '../negotiate.ts';
import { encodeEvent, encodeObject } from './encode.ts';

const gzip = promisify(gzipCallback);
/** Below this, compressing costs more than it saves; Kubernetes' own bound. */
const gzipBytesMin = 128 * 1024;
/** A client that takes nothing of a stream for so long is cut off. */
export const drainTimeoutMs = 60_000;

/** Sends an answer; resolves when all is handed to the socket, or the client is gone. */
export async function writeResponse(
  request: IncomingMessage,
  response: ServerResponse,
  answer: ApiResponse,
  signal: AbortSignal,
): Promise<void> {
  // What is left of a body that was refused must not be read as the next request.
  if (!request.complete && !request.readableEnded) response.setHeader('connection', 'close');
  if (answer.kind === 'object') return writeObject(request, response, answer);
  const isQuick = answer.kind === 'bytes' && 'etag' in answer.headers;
  if (isQuick) return writeDocument(request, response, answer);
  response.writeHead(answer.code, answer.headers);
  response.flushHeaders();
  const chunks = answer.kind === 'watch' ? encoded(answer.events) : answer.bytes;
  for await (const chunk of chunks) {
    if (signal.aborted || response.destroyed) break;
    if (!response.write(chunk)) await drained(response, signal);
  }
  response.end();
}

async function* encoded(events: AsyncIterable<WatchEvent>): AsyncGenerator<string> {
  for await (const event of events) yield encodeEvent(event);
}

async function writeObject(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Extract<ApiResponse, { kind: 'object' }>,
): Promise<void> {
  const body = await encodeObject(answer.object, {
    isYaml: answer.headers['content-type'] === 'application/yaml',
    isPretty: new URLSearchParams(request.url?.split('?')[1]).get('pretty') === 'true',
  });
  await send(request, response, answer, body);
}

async function writeDocument(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Extract<ApiResponse, { kind: 'bytes' }>,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.bytes) chunks.push(chunk);
  await send(request, response, answer, Buffer.concat(chunks));
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: { code: number; headers: Record<string, string> },
  body: Buffer,
): Promise<void> {
  const isLarge = body.length >= gzipBytesMin;
  const headers: Record<string, string | number> = { ...answer.headers };
  let sent = body;
  if (isLarge && readAccept(request.headers['accept-encoding'] ?? '').some(({ type }) => type === 'gzip')) {
    sent = await gzip(body, { level: constants.Z_BEST_SPEED });
    headers['content-encoding'] = 'gzip';
    headers.vary = headers.vary ? `${headers.vary}, Accept-Encoding` : 'Accept-Encoding';
  }
  if (answer.code !== 304) headers['content-length'] = sent.length;
  response.writeHead(answer.code, headers);
  response.end(sent);
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const timer = setTimeout(() => response.destroy(), drainTimeoutMs);
  try {
    await once(response, 'drain', { signal });
  } catch {
    // The client went away or the server closes: the caller looks at the signal.
  } finally {
    clearTimeout(timer);
  }
}
