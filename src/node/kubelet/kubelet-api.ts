import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { Running } from '../../base/lifecycle.ts';
import type { Log } from '../../base/log.ts';
import type { HeldCertificate } from '../certificates/request-certificate.ts';
import { allContainersOf, type PodRecord } from '../pods/record.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { parseLogQuery } from './log-lines.ts';
import { readLog } from './log-reader.ts';

export interface KubeletApiOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** Whom to trust: callers show a certificate of this authority. */
  caPem: string;
  clock: Clock;
  log: Log;
  pods: () => PodRecord[];
  logDir: (record: PodRecord) => string;
  metrics: () => Promise<string>;
  stats: () => Promise<unknown>;
  /** Opens a connection to a port of a pod that runs here. */
  dial: Runtime['dial'];
  /** The runtime if one is connected: for commands in containers. */
  runtime: () => Runtime | undefined;
}

/** The node's own API, as kubelet has it, for the API server: logs, pods, statistics. */
export interface KubeletApi extends Running {
  readonly port: number;
  /** The certificate to show; until the first call no connection succeeds. */
  useCertificate(held: HeldCertificate): void;
}

export async function serveKubeletApi(options: KubeletApiOptions): Promise<KubeletApi> {
  const { log, caPem, host, port } = options;
  const server = createServer({
    requestCert: true,
    rejectUnauthorized: true,
    ca: caPem,
    minVersion: 'TLSv1.2',
  });
  server.on('request', (request, response) => {
    respond(request, response, options).catch((error: unknown) => sendError(response, error, log));
  });
  const streams = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    streams.add(socket);
    // From here on the server neither listens for the socket's errors nor closes it.
    socket.on('error', () => socket.destroy()).once('close', () => streams.delete(socket));
    if (!isAllowed((request.socket as TLSSocket).getPeerCertificate())) {
      socket.destroy();
      return;
    }
    // Loaded by the first who attaches or forwards a port: most nodes never need it.
    import('../streaming/serve-upgrade.ts').then(
      ({ serveUpgrade }) => serveUpgrade({ request, socket, head, sources: options }),
      (error: unknown) => {
        log.error('streams cannot be served', { error: messageOf(error) });
        socket.destroy();
      },
    );
  });
  // Whoever fails the handshake is told by TLS itself.
  server.on('tlsClientError', (error) => log.debug('connection refused', { error: error.message }));
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    useCertificate: ({ certificatePem, privateKeyPem }) =>
      server.setSecureContext({ cert: certificatePem, key: privateKeyPem, ca: caPem }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of streams) socket.destroy();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE'
          ? 'the port is in use; choose another with --kubelet-port'
          : cause.message;
      reject(
        new StatusError('InternalError', `cannot serve the kubelet API on ${host}:${port}: ${why}`, {
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: KubeletApiOptions,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://node');
  if (!isAllowed((request.socket as TLSSocket).getPeerCertificate())) {
    throw new StatusError('Forbidden', 'only the API server and administrators may use the kubelet API');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw new StatusError('MethodNotAllowed', `${request.method} is not supported here`);
  }
  const [, first, ...rest] = url.pathname.split('/').map(decodeURIComponent);
  if (first === 'healthz') return void response.end('ok');
  if (first === 'metrics') return sendText(response, await options.metrics());
  if (first === 'pods') return sendJson(response, podList(options.pods()));
  if (first === 'stats' && rest[0] === 'summary') return sendJson(response, await options.stats());
  if (first === 'containerLogs' && rest.length === 3) return sendLog(request, response, url, rest, options);
  throw new StatusError('NotFound', `there is nothing at ${url.pathname}`);
}

/** The API server's own client certificate and administrators are in `system:masters`. */
function isAllowed(certificate: PeerCertificate): boolean {
  const organizations: string | string[] = certificate.subject?.O ?? [];
  return [organizations].flat().includes('system:masters');
}

async function sendLog(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  [namespace, podName, containerName]: string[],
  options: KubeletApiOptions,
): Promise<void> {
  const query = parseLogQuery(url.searchParams, options.clock.nowMs());
  if (typeof query === 'string') throw new StatusError('BadRequest', query);
  const record = options.pods().find((each) => each.namespace === namespace && each.name === podName);
  if (!record) throw new StatusError('NotFound', `pod "${podName}" does not exist`);
  const spec = allContainersOf(record).find(({ name }) => name === containerName);
  const container = spec && record.containers[spec.name];
  if (!container) {
    throw new StatusError('BadRequest', `container ${containerName} is not valid for pod ${podName}`);
  }
  const isWaiting = !['running', 'stopping', 'terminated'].includes(container.phase.kind);
  // While it waits to be started again, the attempt that ended is the current one.
  const current = isWaiting && !container.lastTerminated ? undefined : container.restartCount;
  const attempt = query.previous ? container.restartCount - 1 : current;
  if (query.previous && container.restartCount === 0) {
    const message = `previous terminated container "${containerName}" in pod "${podName}" not found`;
    throw new StatusError('BadRequest', message);
  }
  if (attempt === undefined) {
    const why = container.phase.kind === 'waiting' ? container.phase.reason : 'ContainerCreating';
    const message = `container "${containerName}" in pod "${podName}" is waiting to start: ${why}`;
    throw new StatusError('BadRequest', message);
  }
  response.setHeader('content-type', 'text/plain');
  response.flushHeaders();
  const aborted = new AbortController();
  request.socket.once('close', () => aborted.abort());
  const path = `${options.logDir(record)}/${containerName}/${attempt}.log`;
  const isAlive = () =>
    container.restartCount === attempt && ['running', 'stopping', 'creating'].includes(container.phase.kind);
  const log = readLog({ path, query, clock: options.clock, signal: aborted.signal, isAlive });
  await pipeline(Readable.from(log), response).catch((error: unknown) => {
    if (!aborted.signal.aborted) throw error;
  });
}

function podList(records: PodRecord[]): unknown {
  const items = records.map(({ pod, status }) => ({ ...pod, ...(status && { status }) }));
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

function sendText(response: ServerResponse, text: string): void {
  response.setHeader('content-type', 'text/plain; version=0.0.4');
  response.end(text);
}

function sendError(response: ServerResponse, error: unknown, log: Log): void {
  if (response.headersSent) return void response.destroy();
  if (!isStatus(error)) log.warn('kubelet API request failed', { error: messageOf(error) });
  response.statusCode = isStatus(error) ? error.code : 500;
  response.setHeader('content-type', 'text/plain');
  response.end(messageOf(error));
}
