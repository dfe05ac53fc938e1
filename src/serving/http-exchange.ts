import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusError } from '../base/errors.ts';
import { type Held, holdBytes, smallBytesMax } from './held-bytes.ts';

/** Of a request's body, as it comes and unpacked. */
export const bodyBytesMax = 64 * 1024 * 1024;
/** How long nothing may move of a large answer. */
export const stalledMsMax = 60_000;

/** A request of HTTP, without what a full `Request` costs to make: that takes as long as a small model's run. */
export interface HttpRequest {
  method: string;
  /** As it stands in the request, percent-encoded, without the query. */
  path: string;
  query: string;
  header(name: string): string | undefined;
  /** The body as it comes. Throws RequestEntityTooLarge beyond `bodyBytesMax`. */
  read(): Promise<Uint8Array> | Uint8Array;
  /** Counts what is kept of the body; whoever made the request releases it with the answer. */
  held?: Held | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array | string;
}

export function jsonAnswer(value: unknown, status = 200, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

export function tooLarge(): StatusError {
  return new StatusError('RequestEntityTooLarge', `a request may have ${bodyBytesMax} bytes, unpacked too`);
}

/** A standard `Request` in these terms. */
export function fromFetch(request: Request): HttpRequest {
  const { pathname, search } = new URL(request.url);
  const held = holdBytes();
  return {
    held,
    method: request.method,
    path: pathname,
    query: search.slice(1),
    header: (name) => request.headers.get(name) ?? undefined,
    async read() {
      if (Number(request.headers.get('content-length') ?? 0) > bodyBytesMax) throw tooLarge();
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of request.body ?? []) {
        length += chunk.length;
        if (length > bodyBytesMax) throw tooLarge();
        held.add(chunk.length);
        chunks.push(chunk);
      }
      return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
    },
  };
}

export function toFetch({ status, headers, body }: HttpAnswer, isHead: boolean): Response {
  // The bytes are never shared memory: they come from Buffer and JSON.
  return new Response(isHead ? null : (body as Uint8Array<ArrayBuffer> | string), { status, headers });
}

/** A request of `node:http` in these terms. */
export function fromNode(incoming: IncomingMessage): HttpRequest {
  const target = incoming.url ?? '/';
  // An absolute-form target is a URL (RFC 9112, 3.2.2).
  const origin = /^https?:\/\/[^/?]*/i.exec(target)?.[0].length ?? 0;
  const question = target.indexOf('?', origin);
  const held = holdBytes();
  return {
    held,
    method: incoming.method ?? 'GET',
    path: (question < 0 ? target.slice(origin) : target.slice(origin, question)) || '/',
    query: question < 0 ? '' : target.slice(question + 1),
    header: (name) => incoming.headers[name] as string | undefined,
    read: () => readNode(incoming, held),
  };
}

function readNode(incoming: IncomingMessage, held: Held): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (Number(incoming.headers['content-length'] ?? 0) > bodyBytesMax) throw tooLarge();
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on('data', (chunk: Buffer) => {
      length += chunk.length;
      try {
        if (length > bodyBytesMax) throw tooLarge();
        held.add(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        incoming.removeAllListeners('data');
        chunks.length = 0;
        reject(error);
      }
    });
    incoming.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)));
    const cutShort = () => reject(new StatusError('BadRequest', 'the body was cut short'));
    incoming.on('error', cutShort);
    incoming.on('close', () => {
      if (!incoming.complete) cutShort();
    });
  });
}

/**
 * Sends an answer; a request body that was not read to its end costs the connection, as does a client that doesn't read a
 * large answer on. What is held is released when the answer is out.
 */
export function sendNode(
  { status, headers, body }: HttpAnswer,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  held: Held | undefined,
): void {
  if (outgoing.destroyed) {
    held?.release();
    return;
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  outgoing.writeHead(status, {
    ...headers,
    'content-length': bytes.length,
    ...(!incoming.complete && { connection: 'close' }),
  });
  if (bytes.length > smallBytesMax) {
    outgoing.setTimeout(stalledMsMax);
    outgoing.once('close', () => held?.release());
  } else held?.release();
  outgoing.end(incoming.method === 'HEAD' ? undefined : bytes);
}
