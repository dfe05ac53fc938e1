import http from 'node:http';
import { Readable } from 'node:stream';
import { decide } from './decide.ts';
import { aliased } from './host-aliases.ts';
import { ConnectError, type MeshAgent, type MeshRequestOptions } from './mesh-agent.ts';
import type { MeshState } from './mesh-client.ts';
import { type PreparedRequest, prepare, redirected } from './prepare.ts';
import { toResponse } from './response.ts';
import type { Endpoint } from './route-table.ts';
import { Unavailable, unavailableResponse } from './unavailable.ts';

/** How many endpoints one request tries, the first included. */
export const attemptsMax = 3;
/** As the Fetch standard says. */
export const redirectsMax = 20;

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** A `fetch` that routes over the mesh (https://fetch.spec.whatwg.org, without cookies, cache and CORS). */
export function createFetch(
  state: MeshState,
  agents: { 'http:': MeshAgent; 'https:': MeshAgent },
): typeof fetch {
  const original = globalThis.fetch;
  return async (input, init) => {
    const prepared = prepare(input, init);
    const { protocol } = prepared.url;
    if (protocol !== 'http:' && protocol !== 'https:') return original(input, init);
    return follow(state, agents, prepared).catch((error: unknown) => {
      if (error instanceof Unavailable) return unavailableResponse(error);
      throw error;
    });
  };
}

async function follow(
  state: MeshState,
  agents: { 'http:': MeshAgent; 'https:': MeshAgent },
  first: PreparedRequest,
): Promise<Response> {
  let request = first;
  for (let hops = 0; ; hops++) {
    const agent = agents[request.url.protocol as 'http:' | 'https:'];
    const message = await sendWithRetry(state, agent, request);
    const next = redirected(request, message.statusCode ?? 0, message.headers.location);
    if (next === undefined) return toResponse(message, request, hops > 0);
    message.resume();
    if (next instanceof Error) throw next;
    if (hops >= redirectsMax) throw failed(request, new Error(`more than ${redirectsMax} redirects`));
    request = next;
  }
}

async function sendWithRetry(
  state: MeshState,
  agent: MeshAgent,
  request: PreparedRequest,
): Promise<http.IncomingMessage> {
  const tried = new Set<string>();
  let lastError: unknown;
  for (let attempt = 1; ; attempt++) {
    const target = await choose(state, request, { keys: tried, error: lastError });
    const startedMs = performance.now();
    if (target.endpoint) state.balance.started(target.endpoint);
    const finish = once((status: number) => {
      if (target.endpoint) state.balance.finished(target.endpoint);
      state.telemetry.observe(target.name, status, (performance.now() - startedMs) / 1000);
    });
    try {
      const message = await send(agent, request, target.endpoint);
      message.once('close', () => finish(message.statusCode ?? 0));
      return message;
    } catch (error) {
      finish(0);
      lastError = error;
      if (request.signal?.aborted) throw request.signal.reason;
      const { endpoint } = target;
      const isUnsent = error instanceof ConnectError;
      if (endpoint && isUnsent) {
        state.balance.eject(endpoint);
        tried.add(`${endpoint.ip}:${endpoint.port}`);
      }
      const isSafe = isUnsent || (isReset(error) && idempotent.has(request.method));
      const canRepeat = !(request.body instanceof ReadableStream) || (isUnsent && !request.body.locked);
      if (!endpoint || !isSafe || !canRepeat || attempt >= attemptsMax) throw failed(request, error);
    }
  }
}

async function choose(
  state: MeshState,
  request: PreparedRequest,
  tried: { keys: Set<string>; error: unknown },
): Promise<{ name: string; endpoint?: Endpoint }> {
  const { url } = request;
  const host = aliased(state.hostAliases, url.hostname.replace(/^\[|\]$/g, ''));
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const { namespace, client } = state;
  const asked = { host, port, namespace, client, path: url.pathname };
  const decision = await state.holding.decided(
    () => decide(state.table, asked, state.balance, tried.keys),
    request.signal,
  );
  request.signal?.throwIfAborted();
  if (decision.kind === 'refused') {
    const { reason, retryAfterSeconds } = decision;
    if (retryAfterSeconds !== undefined) throw new Unavailable(reason, retryAfterSeconds);
    throw failed(request, tried.error ?? new Error(reason));
  }
  if (decision.kind === 'outside') return { name: decision.host };
  return { name: `${decision.route.name}.${decision.route.namespace}`, endpoint: decision.endpoint };
}

function send(
  agent: MeshAgent,
  request: PreparedRequest,
  endpoint: Endpoint | undefined,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { url, body, signal } = request;
    signal?.throwIfAborted();
    const options: MeshRequestOptions = {
      agent,
      protocol: url.protocol,
      host: url.hostname,
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      path: url.pathname + url.search,
      method: request.method,
      headers: request.headers,
      ...(endpoint && { endpoint }),
    };
    const outgoing = http.request(options);
    const abort = () =>
      outgoing.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal?.addEventListener('abort', abort, { once: true });
    outgoing.once('close', () => signal?.removeEventListener('abort', abort));
    outgoing.once('response', resolve);
    // Errors after the response are told by its body.
    outgoing.on('error', reject);
    if (body instanceof ReadableStream) {
      // Started only once there is a connection, so that a failed one leaves the body whole.
      outgoing.once('socket', () => {
        const source = Readable.fromWeb(body as import('node:stream/web').ReadableStream);
        source.once('error', (error) => outgoing.destroy(error));
        source.pipe(outgoing);
      });
      outgoing.flushHeaders();
    } else {
      outgoing.end(body);
    }
  });
}

function isReset(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** As `fetch` fails: a TypeError, but one that says what to do. */
function failed(request: PreparedRequest, cause: unknown): TypeError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TypeError(`fetch("${request.url.href}"): ${message}`, { cause });
}

function once<A>(action: (argument: A) => void): (argument: A) => void {
  let isDone = false;
  return (argument) => {
    if (isDone) return;
    isDone = true;
    action(argument);
  };
}
