import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ApiRequest, ApiResponse } from '../../client/transport.ts';
import type { Attributes, Decision } from '../authorization/authorize.ts';
import { badRequest } from '../failures.ts';
import { failureResponse } from '../router.ts';
import type { Authenticator, User } from '../user.ts';
import type { KubeletRequest } from '../verbs/log.ts';
import { authenticate, isOpenPath } from './authenticate.ts';
import { RequestLimits } from './limits.ts';
import { readHead, readRequest } from './read-request.ts';
import { passUpgrade, wantsStream, writeRefusal } from './upgrade.ts';
import { writeResponse } from './write-response.ts';

/** Takes a request of an authenticated user and answers it itself, or answers false to pass. */
export type ExtraHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  user: User,
) => boolean | Promise<boolean>;

export interface ListenOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  tls: {
    /** The whole chain, the authority's certificate included, so that a joining node can pin it. */
    certPem: string;
    keyPem: string;
    /** Client certificates must be signed by it. */
    caPem: string;
  };
  extraHandlers?: readonly ExtraHandler[];
}

export interface Listening {
  port: number;
  /** New connections get this certificate, of the same authority. */
  useCertificate(certificate: { certPem: string; keyPem: string }): void;
  /** Stops accepting, ends watches, and resolves when all connections are gone. */
  close(): Promise<void>;
}

export interface Listener extends ListenOptions {
  handle(request: ApiRequest, user: User): Promise<ApiResponse>;
  /** Where the stream is that an upgrade asks for. */
  openStream(request: ApiRequest, user: User): Promise<KubeletRequest>;
  authenticators: readonly Authenticator[];
  /** Whether a user may be made another one. */
  authorize(attributes: Attributes): Decision;
  log: Log;
}

/** A client must be done with TLS, and with its head, by then: slow ones (slowloris) are cut off. */
const handshakeTimeoutMs = 10_000;
const headersTimeoutMs = 15_000;
const keepAliveTimeoutMs = 75_000;
const headerBytesMax = 16 * 1024;
const connectionsMax = 4096;
/** What is under way may finish for so long after `close`. */
const drainMs = 2_000;

/** Serves HTTPS until closed; rejects where the port can't be had. */
export function listen(listener: Listener): Promise<Listening> {
  const { host, port, tls, log } = listener;
  const limits = new RequestLimits();
  const closing = new AbortController();
  const server = createServer(
    {
      cert: tls.certPem,
      key: tls.keyPem,
      ca: tls.caPem,
      requestCert: true,
      // A wrong certificate gets a 401 in Kubernetes' form rather than a broken handshake.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeTimeoutMs,
      headersTimeout: headersTimeoutMs,
      // The body has its own deadline in read-request.ts: image layers may take longer than API objects.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: headerBytesMax,
      shouldUpgradeCallback: wantsStream,
    },
    (request, response) => {
      serve(listener, limits, closing.signal, request, response).catch((error: unknown) => {
        log.warn('a connection broke', { error: messageOf(error) });
        response.destroy();
      });
    },
  );
  server.on('upgrade', (request, socket, head) => {
    void serveUpgrade(listener, limits, closing.signal, { request, socket, head });
  });
  server.maxConnections = connectionsMax;
  server.on('tlsClientError', () => {});
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.on('error', (error) => log.error('the listener failed', { error: messageOf(error) }));
      resolve({
        // Listening on a host and port, the address is never a path.
        port: (server.address() as AddressInfo).port,
        useCertificate: ({ certPem, keyPem }) =>
          server.setSecureContext({ cert: certPem, key: keyPem, ca: tls.caPem, minVersion: 'TLSv1.2' }),
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            closing.abort();
            server.closeIdleConnections();
            setTimeout(() => server.closeAllConnections(), drainMs).unref();
          }),
      });
    });
  });
}

/** Answers a request that becomes a byte stream; never rejects. */
async function serveUpgrade(
  listener: Listener,
  limits: RequestLimits,
  closing: AbortSignal,
  client: { request: IncomingMessage; socket: Duplex; head: Buffer },
): Promise<void> {
  const { request, socket } = client;
  const gone = new AbortController();
  socket.on('error', () => {}).once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  try {
    const user = await authenticate(request, listener);
    if (!user) return writeRefusal(socket, unauthorized(request.url ?? ''));
    const url = readUrl(request);
    limits.begin(request, user, url, true);
    const kubelet = await listener.openStream(readHead(request, url, signal), user);
    await passUpgrade(client, kubelet, signal);
  } catch (error) {
    const status =
      error instanceof StatusError
        ? error
        : new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`);
    writeRefusal(socket, failureResponse(status));
  } finally {
    limits.end(request);
  }
}

async function serve(
  listener: Listener,
  limits: RequestLimits,
  closing: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  response.once('close', end);
  closing.addEventListener('abort', end, { once: true });
  try {
    const answer = await answerOf(listener, limits, ended.signal, request, response);
    if (answer) await writeResponse(request, response, answer, ended.signal);
  } finally {
    closing.removeEventListener('abort', end);
    limits.end(request);
  }
}

/** Undefined when an extra handler has answered. */
async function answerOf(
  listener: Listener,
  limits: RequestLimits,
  signal: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<ApiResponse | undefined> {
  try {
    const url = readUrl(request);
    const user = await authenticate(request, listener).catch((error: unknown) => {
      if (isStatus(error, 'Unauthorized')) return error;
      throw error;
    });
    if (isStatus(user)) return unauthorized(url.pathname, user);
    if (!user && !isOpenPath(url.pathname)) return unauthorized(url.pathname);
    const known = user ?? { name: 'system:anonymous', groups: ['system:unauthenticated'] };
    if (user) {
      for (const handler of listener.extraHandlers ?? []) {
        if (await handler(request, response, user)) return undefined;
      }
    }
    limits.begin(request, known, url);
    return await listener.handle(await readRequest(request, url, signal), known);
  } catch (error) {
    if (error instanceof StatusError) return failureResponse(error);
    listener.log.error('a request failed', { url: request.url, error: messageOf(error) });
    return failureResponse(new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`));
  }
}

function readUrl({ url = '/' }: IncomingMessage): URL {
  if (!url.startsWith('/')) throw badRequest(`the request target ${JSON.stringify(url)} must be a path`);
  const [path, ...query] = url.split('?');
  // Put together rather than resolved: `//host/` must stay a path.
  const parsed = new URL('https://server');
  parsed.pathname = path!.replace(/\/{2,}/g, '/');
  parsed.search = query.join('?');
  return parsed;
}

/** Says how to authenticate; container tools show their credentials only when they are asked for them. */
function unauthorized(path: string, error = new StatusError('Unauthorized', 'Unauthorized')): ApiResponse {
  const answer = failureResponse(error);
  const scheme =
    path === '/v2' || path.startsWith('/v2/') ? 'Basic realm="selvage"' : 'Bearer realm="selvage"';
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': scheme } };
}
