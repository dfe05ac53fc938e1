import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { messageOf, StatusError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { jsonLines } from './json-lines.ts';
import { retryingLater } from './retry-after.ts';
import type { ApiRequest, ApiResponse, Transport, WatchEvent } from './transport.ts';

/** Connections for requests that end; more requests wait for a free one. */
export const requestSocketsMax = 8;
/** Connections for watches and log streams, which each hold one as long as they last. */
export const streamSocketsMax = 128;
/** One JSON answer; a list this long must be paged. */
export const answerBytesMax = 256 * 1024 * 1024;
/** A dead peer of a silent stream is noticed about 10 s after this. */
const keepAliveProbeMs = 60_000;
/** A stream that asked the server to end it is given this much longer before we end it ourselves. */
const streamGraceMs = 15_000;

export interface Credentials {
  clientCertificatePem?: string | undefined;
  clientKeyPem?: string | undefined;
  token?: string | undefined;
}

export interface HttpTransportOptions extends Credentials {
  /** `https://host:port`. */
  server: string;
  /** The only certificate authority that is trusted. */
  caPem: string;
  /** Bound on a request until its answer is complete (of a watch: until it begins); 30 s by default. */
  timeoutMs?: number;
  log?: Log;
}

/** A Transport over HTTPS with its own connections. */
export interface HttpTransport extends Transport {
  /** Later requests use these; connections under the old ones close when their request or watch ends. */
  replaceCredentials(credentials: Credentials): void;
  /** Ends all connections, running watches included. */
  close(): void;
}

/**
 * Speaks to the API server at `server`, and sends again later what it puts off; throws ServiceUnavailable when it cannot
 * be reached or is too slow.
 */
export function httpTransport(options: HttpTransportOptions): HttpTransport {
  const { server, caPem, timeoutMs = 30_000, log = silentLog } = options;
  const base = new URL(server);
  let connections = connect(caPem, options);

  const transport = async (request: ApiRequest): Promise<ApiResponse> => {
    request.signal?.throwIfAborted();
    const isStream = request.query.get('watch') === 'true' || request.query.get('follow') === 'true';
    const { agents, token } = connections;
    const answer = await exchange(request, {
      hostname: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port || 443,
      agent: isStream ? agents.streams : agents.requests,
      headers: { ...request.headers, ...(token && { authorization: `Bearer ${token}` }) },
      timeoutMs,
      server,
    });
    log.debug('request', { method: request.method, path: request.path, code: answer.statusCode });
    return decode(request, answer, { timeoutMs, server });
  };

  return Object.assign(retryingLater(transport), {
    replaceCredentials(credentials: Credentials) {
      const { agents } = connections;
      connections = connect(caPem, credentials);
      for (const agent of Object.values(agents)) retire(agent);
    },
    close() {
      for (const agent of Object.values(connections.agents)) agent.destroy();
    },
  });
}

function connect(caPem: string, { clientCertificatePem, clientKeyPem, token }: Credentials) {
  const shared = {
    ca: caPem,
    ...(clientCertificatePem && { cert: clientCertificatePem, key: clientKeyPem }),
    keepAlive: true,
    keepAliveMsecs: keepAliveProbeMs,
    minVersion: 'TLSv1.2' as const,
  };
  return {
    token,
    agents: {
      requests: new Agent({ ...shared, maxSockets: requestSocketsMax, maxFreeSockets: 2 }),
      streams: new Agent({ ...shared, maxSockets: streamSocketsMax, maxFreeSockets: 2 }),
    },
  };
}

/** Closes idle connections now and the busy ones as they become idle. */
function retire(agent: Agent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}

interface Exchange {
  hostname: string;
  port: string | number;
  agent: Agent;
  headers: Record<string, string>;
  timeoutMs: number;
  server: string;
}

/** Sends the request and resolves with the head of its answer. */
function exchange(request: ApiRequest, to: Exchange): Promise<IncomingMessage> {
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const query = request.query.toString();
  const options: RequestOptions = {
    method: request.method,
    hostname: to.hostname,
    port: to.port,
    agent: to.agent,
    path: encodePath(request.path) + (query && `?${query}`),
    headers: { ...to.headers, ...(body && { 'content-length': String(body.length) }) },
    ...(request.signal && { signal: request.signal }),
  };
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(options);
    const timer = setTimeout(
      () => sent.destroy(new Error(`no answer within ${to.timeoutMs} ms`)),
      to.timeoutMs,
    );
    sent.on('response', (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    sent.on('error', (cause) => {
      clearTimeout(timer);
      if (request.signal?.aborted) reject(request.signal.reason);
      // The server closed a kept connection just as we took it. Reading again on another one is safe.
      else if (request.method === 'GET' && sent.reusedSocket && isReset(cause))
        resolve(exchange(request, to));
      else reject(unreachable(to.server, cause));
    });
    sent.end(body);
  });
}

function isReset(cause: NodeJS.ErrnoException): boolean {
  return cause.code === 'ECONNRESET' || cause.code === 'EPIPE';
}

/** `path` is decoded; each part is encoded again, and `%` sequences that it already has are kept. */
function encodePath(path: string): string {
  return encodeURI(path).replaceAll('%25', '%').replaceAll('?', '%3F').replaceAll('#', '%23');
}

async function decode(
  request: ApiRequest,
  answer: IncomingMessage,
  { timeoutMs, server }: { timeoutMs: number; server: string },
): Promise<ApiResponse> {
  const code = answer.statusCode ?? 500;
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
  );
  if (request.query.get('watch') === 'true' && code < 400) {
    return { code, headers, kind: 'watch', events: events(request, answer, server) };
  }
  if (!headers['content-type']?.includes('json')) {
    return { code, headers, kind: 'bytes', bytes: owned(request, answer, server) };
  }
  const timer = setTimeout(
    () => answer.destroy(new Error(`the answer took more than ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return { code, headers, kind: 'object', object: await readJson(owned(request, answer, server)) };
  } finally {
    clearTimeout(timer);
  }
}

async function readJson(chunks: AsyncIterable<Uint8Array>): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      throw new StatusError('InternalError', `the answer is over ${answerBytesMax} bytes; use a limit`);
    }
    parts.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch (cause) {
    throw new StatusError('InternalError', 'the server sent an answer that is no JSON', { cause });
  }
}

async function* events(
  request: ApiRequest,
  answer: IncomingMessage,
  server: string,
): AsyncGenerator<WatchEvent> {
  const timeoutSeconds = Number(request.query.get('timeoutSeconds') ?? 0);
  const timer =
    timeoutSeconds > 0
      ? setTimeout(
          () => answer.destroy(new Error('the watch did not end in time')),
          timeoutSeconds * 1000 + streamGraceMs,
        )
      : undefined;
  try {
    // The lines of a watch are WatchEvents; the informer takes nothing else from them.
    yield* jsonLines(owned(request, answer, server)) as AsyncIterable<WatchEvent>;
  } finally {
    clearTimeout(timer);
    answer.destroy();
  }
}

/** The answer's bytes, with failures told as this transport tells them; ends quietly when the caller aborts. */
async function* owned(
  request: ApiRequest,
  answer: IncomingMessage,
  server: string,
): AsyncGenerator<Uint8Array> {
  try {
    yield* answer;
  } catch (cause) {
    if (request.signal?.aborted) return;
    throw unreachable(server, cause);
  }
}

function unreachable(server: string, cause: unknown): StatusError {
  const reason = cause instanceof AggregateError ? cause.errors.map(messageOf).join('; ') : messageOf(cause);
  return new StatusError('ServiceUnavailable', `cannot reach the API server at ${server}: ${reason}`, {
    cause,
  });
}
