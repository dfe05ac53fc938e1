import { promisify } from 'node:util';
import { constants, gzip as gzipCallback } from 'node:zlib';
import type { Answer, ListAnswer, ProxiedAnswer } from '../answer.ts';
import { readAccept } from '../negotiate.ts';
import { encodeList, encodeObject, type Format } from './encode.ts';
import type { Exchange } from './serve.ts';
import { writeEvents } from './write-events.ts';
import { drained, writeParts } from './write-parts.ts';

const gzip = promisify(gzipCallback);
/** Below this, compressing costs more than it saves; Kubernetes' own bound. */
export const gzipBytesMin = 128 * 1024;

/** Sends an answer; resolves when all is handed to the socket, or the client is gone. */
export async function writeResponse(exchange: Exchange, answer: Answer): Promise<void> {
  const { request, response, signal } = exchange;
  // What is left of a body that was refused must not be read as the next request.
  const isRest = !request.complete && !request.readableEnded;
  if (isRest && request.httpVersionMajor < 2) response.setHeader('connection', 'close');
  switch (answer.kind) {
    case 'object':
      return send(exchange, answer, await encodeObject(answer.object, formatOf(exchange, answer)));
    case 'list':
      return writeList(exchange, answer);
    case 'watch':
      response.writeHead(answer.code, answer.headers);
      response.flushHeaders();
      return writeEvents(exchange, answer.events);
    case 'proxied':
      return writeProxied(exchange, answer);
    case 'bytes':
      if ('etag' in answer.headers) return send(exchange, answer, Buffer.concat(await all(answer.bytes)));
      response.writeHead(answer.code, answer.headers);
      if (request.method === 'HEAD') return void response.end();
      response.flushHeaders();
      for await (const chunk of answer.bytes) {
        if (signal.aborted) break;
        if (!response.write(chunk)) await drained(response, signal);
      }
      response.end();
  }
}

/** Passes on what another server sends, as it comes; where that breaks off, so does this. */
async function writeProxied({ request, response, signal }: Exchange, answer: ProxiedAnswer): Promise<void> {
  const { code, headers, bytes } = answer;
  response.writeHead(code, headers);
  if (request.method === 'HEAD' || code === 204 || code === 304) {
    bytes.destroy();
    return void response.end();
  }
  response.flushHeaders();
  const end = () => bytes.destroy();
  signal.addEventListener('abort', end, { once: true });
  try {
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      if (signal.aborted) break;
      if (!response.write(chunk)) await drained(response, signal);
    }
    response.end();
  } catch {
    // The head is out: cut off is all that a client can be told now.
    response.destroy();
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** A list that is short is sent with its length; a long one goes out in parts while it is read. */
async function writeList(exchange: Exchange, answer: ListAnswer): Promise<void> {
  const { head, member, pages } = answer;
  const parts = encodeList(head, member, pages, formatOf(exchange, answer));
  const first: string[] = [];
  let characters = 0;
  for await (const part of untilLeft(parts)) {
    first.push(part);
    characters += part.length;
    if (characters > gzipBytesMin)
      return writeParts(exchange, answer, { first, rest: parts, isGzip: takesGzip(exchange) });
  }
  await send(exchange, answer, first.join(''));
}

/** Iterates without ending the source when its reader leaves, so that another may go on. */
async function* untilLeft<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  for (;;) {
    const { value, done } = await source.next();
    if (done) return;
    yield value;
  }
}

async function send(
  exchange: Exchange,
  answer: { code: number; headers: Record<string, string> },
  body: Buffer | string,
): Promise<void> {
  const { request, response } = exchange;
  const headers: Record<string, string | number> = { ...answer.headers };
  // A text goes to the socket in one piece with its head.
  let sent = body;
  let bytes = Buffer.byteLength(body);
  if (bytes >= gzipBytesMin && takesGzip(exchange)) {
    sent = await gzip(body, { level: constants.Z_BEST_SPEED });
    bytes = sent.length;
    headers['content-encoding'] = 'gzip';
    headers.vary = headers.vary ? `${headers.vary}, Accept-Encoding` : 'Accept-Encoding';
  }
  if (answer.code !== 304) headers['content-length'] = bytes;
  response.writeHead(answer.code, headers);
  response.end(request.method === 'HEAD' || answer.code === 304 ? undefined : sent);
}

function takesGzip({ request }: Exchange): boolean {
  const accepted = request.headers['accept-encoding'];
  return typeof accepted === 'string' && readAccept(accepted).some(({ type }) => type === 'gzip');
}

/** People who look with a browser or by hand get lines to read, as from kube-apiserver. */
const prettyAgents = /^(curl|Wget|Mozilla\/5\.0)/;

function formatOf({ request }: Exchange, { headers }: { headers: Record<string, string> }): Format {
  const isYaml = headers['content-type'] === 'application/yaml';
  const asked = /[?&]pretty=([^&]*)/.exec(request.url ?? '')?.[1];
  const isPretty = asked
    ? /^(1|t|true)$/i.test(asked)
    : prettyAgents.test(request.headers['user-agent'] ?? '');
  return { isYaml, isPretty };
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return chunks;
}
