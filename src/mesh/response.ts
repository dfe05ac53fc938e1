import type { IncomingMessage } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { PreparedRequest } from './prepare.ts';
import { WholeResponse } from './whole-response.ts';

const encodings = new Set(['gzip', 'x-gzip', 'deflate', 'br']);
const withoutBody = new Set([101, 204, 205, 304]);

/** Makes a Response of a message; a body that came whole with its head costs no stream. */
export async function toResponse(
  message: IncomingMessage,
  request: PreparedRequest,
  isRedirected: boolean,
): Promise<Response> {
  const status = message.statusCode ?? 502;
  const headers = new Headers();
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at]!, message.rawHeaders[at + 1]!);
  }
  const hasBody = request.method !== 'HEAD' && !withoutBody.has(status);
  if (!hasBody) message.resume();
  const init = { status, statusText: message.statusMessage ?? '', headers };
  const body = hasBody ? await bodyOf(message, headers) : null;
  const response = body instanceof Uint8Array ? new WholeResponse(body, init) : new Response(body, init);
  Object.defineProperty(response, 'url', { value: request.url.href });
  if (isRedirected) Object.defineProperty(response, 'redirected', { value: true });
  return response;
}

async function bodyOf(
  message: IncomingMessage,
  headers: Headers,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> {
  const encoding = message.headers['content-encoding'];
  if (encoding !== undefined && encodings.has(encoding)) {
    // They describe the bytes on the wire; a handler that passes the response on sends the decoded ones.
    headers.delete('content-encoding');
    headers.delete('content-length');
    return asWeb(await decoded(message, encoding));
  }
  // This runs after the parser has seen all of the segment that the head came in.
  if (!message.complete) return asWeb(message);
  const chunks: Buffer[] = [];
  for (let chunk = message.read() as Buffer | null; chunk !== null; chunk = message.read() as Buffer | null) {
    chunks.push(chunk);
  }
  // With its end the connection goes back to the pool, for the caller's next request. A message whose request was aborted
  // closes without one.
  if (!message.closed) {
    await new Promise((resolve) => message.once('end', resolve).once('close', resolve).resume());
  }
  // A Buffer of its own is a Uint8Array over plain memory, never shared.
  return (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)) as Uint8Array<ArrayBuffer>;
}

async function decoded(message: IncomingMessage, encoding: string): Promise<Readable> {
  const zlib = await import('node:zlib');
  const decoder =
    encoding === 'br'
      ? zlib.createBrotliDecompress()
      : encoding === 'deflate'
        ? zlib.createInflate()
        : zlib.createGunzip();
  // A failure of either end is told by the decoder, which the caller reads.
  return pipeline(message, decoder, () => {});
}

function asWeb(readable: Readable): ReadableStream<Uint8Array> {
  return Readable.toWeb(readable) as ReadableStream<Uint8Array>;
}
