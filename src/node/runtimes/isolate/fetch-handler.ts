import http from 'node:http';
import { Readable } from 'node:stream';

/** What a module exports by default: the convention of Workers, Hono, Deno and Bun. */
export interface FetchModule {
  fetch(request: Request, context: { env: Record<string, string | undefined> }): Response | Promise<Response>;
}

/** Longer than the mesh's idle time, so that the caller and not the server closes an idle connection. */
const keepAliveTimeoutMs = 75_000;

/** Serves a fetch handler over `node:http`; the server gets its connections handed. */
export function serveFetch(
  module: FetchModule,
  options: { env: Record<string, string | undefined>; onError: (error: unknown, request: Request) => void },
): http.Server {
  const server = http.createServer((incoming, outgoing) => {
    void respond(module, incoming, outgoing, options);
  });
  server.keepAliveTimeout = keepAliveTimeoutMs;
  return server;
}

async function respond(
  module: FetchModule,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
  options: { env: Record<string, string | undefined>; onError: (error: unknown, request: Request) => void },
): Promise<void> {
  const aborted = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableEnded) aborted.abort();
  });
  let request: Request;
  try {
    request = toRequest(incoming, aborted.signal);
  } catch {
    outgoing.writeHead(400, { 'content-type': 'text/plain' }).end('Bad request\n');
    return;
  }
  try {
    const response = await module.fetch(request, { env: options.env });
    if (!(response instanceof Response))
      throw new TypeError('fetch(request) returned something other than a Response');
    await send(response, outgoing, incoming.method === 'HEAD');
  } catch (error) {
    if (aborted.signal.aborted) return;
    options.onError(error, request);
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(500, { 'content-type': 'text/plain' }).end('Internal Server Error\n');
  }
}

function toRequest(incoming: http.IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  const method = incoming.method ?? 'GET';
  // An absolute-form target is a URL already (RFC 9112, 3.2.2).
  const target = incoming.url ?? '/';
  const url = target.startsWith('/') ? `http://${incoming.headers.host ?? 'localhost'}${target}` : target;
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(url, {
    method,
    headers,
    signal,
    ...(hasBody && { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>, duplex: 'half' }),
  } as RequestInit);
}

/** They speak of the connection that a passed-on response came over, not of ours (RFC 9110, section 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A body that is all there goes out in one piece, with its length; otherwise it is streamed as it comes. */
async function send(response: Response, outgoing: http.ServerResponse, isHead: boolean): Promise<void> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of response.headers) {
    if (hopByHop.has(name)) continue;
    if (name === 'set-cookie') headers[name] = response.headers.getSetCookie();
    else headers[name] = value;
  }
  outgoing.statusCode = response.status;
  if (response.statusText) outgoing.statusMessage = response.statusText;
  if (response.body === null || isHead) {
    if (!isHead && response.status !== 204 && response.status !== 304) headers['content-length'] ??= '0';
    await response.body?.cancel();
    outgoing.writeHead(response.status, headers).end();
    return;
  }
  const reader = response.body.getReader();
  outgoing.once('close', () => void reader.cancel().catch(() => {}));
  const first = await reader.read();
  const second = first.done ? first : await settledNow(reader.read());
  if (second && 'done' in second && second.done) {
    const body = first.value ?? new Uint8Array();
    headers['content-length'] ??= String(body.byteLength);
    outgoing.writeHead(response.status, headers).end(body);
    return;
  }
  outgoing.writeHead(response.status, headers);
  await write(outgoing, first.value);
  for (let next = await second.pending; !next.done; next = await reader.read()) {
    if (outgoing.destroyed) return;
    await write(outgoing, next.value);
  }
  outgoing.end();
}

/** The result if it is there within this turn of the event loop, or else the promise of it. */
async function settledNow<T>(promise: Promise<ReadableStreamReadResult<T>>) {
  const later = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
  const now = await Promise.race([promise, later]);
  return now?.done ? { done: true as const } : { pending: promise };
}

async function write(outgoing: http.ServerResponse, chunk: Uint8Array | undefined): Promise<void> {
  if (chunk === undefined || outgoing.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      outgoing.off('drain', go).off('close', go);
      resolve();
    };
    outgoing.on('drain', go).on('close', go);
  });
}
