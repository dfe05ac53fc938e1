import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { messageOf, StatusError } from '../../base/errors.ts';
import { nodeHttp } from '../../base/node-http.ts';
import type { ApiResponse } from '../../client/transport.ts';
import type { Passed } from '../proxy/forward.ts';
import type { KubeletRequest } from '../verbs/log.ts';
import type { Listener } from './listen.ts';
import { readTarget } from './target.ts';

const passedOn = [
  'connection',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'x-stream-protocol-version',
];
const answerTimeoutMs = 30_000;
/** A client has so long to read why it was refused, and to close. */
const refusalMs = 5_000;
const failureBytesMax = 64 * 1024;
/** A client whose machine is gone is noticed by TCP. */
const keepAliveMs = 30_000;

const streamPath = /^\/api\/v1\/namespaces\/[^/]+\/pods\/[^/]+\/(attach|exec|portforward)$/;

/** Whether a request is to become a stream; any other is answered as if it had not asked for an upgrade. */
export function wantsStream({ url = '', headers }: IncomingMessage): boolean {
  const isKnown = ['websocket', 'spdy/3.1'].includes(headers.upgrade?.toLowerCase() ?? '');
  return isKnown && streamPath.test(url.split('?')[0]!);
}

/** Whether a request is to become a stream to a server behind this one, of whichever protocol. */
export function wantsPassedUpgrade(
  { isPassedOn }: Pick<Listener, 'isPassedOn'>,
  request: Pick<IncomingMessage, 'url'>,
): boolean {
  try {
    return isPassedOn(readTarget(request));
  } catch {
    return false;
  }
}

/**
 * Passes an upgrade on to the kubelet, answers as that does, and carries bytes both ways until one side is gone.
 * Throws StatusError, before anything is answered, where the kubelet refuses.
 */
export async function passUpgrade(
  client: { request: IncomingMessage; socket: Duplex; head: Buffer },
  target: KubeletRequest | Passed,
  signal: AbortSignal,
): Promise<void> {
  const upgraded =
    'upstream' in target
      ? await upgradePassed(target, signal)
      : await upgradeKubelet(client.request, target, signal);
  if (!upgraded.socket) return writeRefused(client.socket, upgraded.response);
  const { response, socket: upstream, head } = upgraded;
  client.socket.write(responseHead(response));
  if (head.length > 0) client.socket.write(head);
  if (client.head.length > 0) upstream.write(client.head);
  client.request.socket.setKeepAlive(true, keepAliveMs);
  await joined(client.socket, upstream, signal);
}

interface Upgraded {
  response: IncomingMessage;
  socket: Duplex;
  head: Buffer;
}

async function upgradeKubelet(
  asked: IncomingMessage,
  kubelet: KubeletRequest,
  signal: AbortSignal,
): Promise<Upgraded> {
  const { request } = await import('node:https');
  const headers: Record<string, string> = {};
  for (const name of passedOn) {
    const value = asked.headers[name];
    if (typeof value === 'string') headers[name] = value;
    else if (value) headers[name] = value.join(', ');
  }
  return new Promise((resolve, reject) => {
    const { url, ...connection } = kubelet;
    const sent = request({ ...connection, method: asked.method ?? 'GET', headers, agent: false, signal });
    sent.setTimeout(answerTimeoutMs, () => sent.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)));
    sent.on('upgrade', (response, socket, head) => {
      sent.setTimeout(0);
      resolve({ response, socket, head });
    });
    sent.on('response', (response) => {
      textOf(response).then((text) => {
        const reason = ({ 400: 'BadRequest', 403: 'Forbidden', 404: 'NotFound' } as const)[
          response.statusCode ?? 0
        ];
        reject(
          new StatusError(reason ?? 'InternalError', text || `the kubelet answered ${response.statusCode}`),
        );
      }, reject);
    });
    sent.on('error', (cause) => {
      reject(new StatusError('InternalError', `error dialing ${url}: ${messageOf(cause)}`, { cause }));
    });
    sent.end();
  });
}

interface Refused {
  response: IncomingMessage;
  socket: undefined;
}

/** An upgrade that a server behind this one takes or refuses; throws where it does neither. */
async function upgradePassed(passed: Passed, signal: AbortSignal): Promise<Upgraded | Refused> {
  const { beginRequest } = await import('../proxy/forward.ts');
  const { connection = 'Upgrade', upgrade = '' } = passed.incoming.headers;
  const headers = { ...passed.headers, connection, upgrade };
  const failed = (cause: Error) =>
    new StatusError('InternalError', `error dialing backend: ${messageOf(cause)}`, { cause });
  const sent = await beginRequest({ ...passed, headers, signal }).catch((cause) => {
    throw failed(cause);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => sent.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)),
      answerTimeoutMs,
    );
    const end = () => sent.destroy();
    signal.addEventListener('abort', end, { once: true });
    const settle = <V>(then: (value: V) => void, value: V) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      then(value);
    };
    sent.on('upgrade', (response, socket, head) => settle(resolve, { response, socket, head }));
    sent.on('response', (response) => {
      const code = response.statusCode ?? 0;
      if (code >= 400) return settle(resolve, { response, socket: undefined });
      const text = `invalid upgrade response: status code ${code}`;
      settle(reject, new StatusError('InternalError', text));
      sent.destroy();
    });
    sent.on('error', (cause) => settle(reject, failed(cause)));
    sent.end();
  });
}

/** Passes on why another server took no upgrade. */
async function writeRefused(socket: Duplex, response: IncomingMessage): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > failureBytesMax) break;
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const { statusCode: code = 502, statusMessage = '', headers } = response;
  const type = headers['content-type'] ? `content-type: ${headers['content-type']}\r\n` : '';
  socket.end(
    Buffer.concat([
      Buffer.from(`HTTP/1.1 ${code} ${statusMessage}\r\n${type}content-length: ${body.length}\r\n`),
      Buffer.from('connection: close\r\n\r\n'),
      body,
    ]),
  );
  setTimeout(() => socket.destroy(), refusalMs).unref();
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) {
    text += chunk;
    if (text.length > failureBytesMax) break;
  }
  return text.trim();
}

function responseHead({ rawHeaders }: IncomingMessage): string {
  const lines = ['HTTP/1.1 101 Switching Protocols'];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** When one side is gone the other ends too; each may end its own direction first. */
function joined(client: Duplex, upstream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      signal.removeEventListener('abort', end);
      client.destroy();
      upstream.destroy();
      resolve();
    };
    for (const side of [client, upstream]) side.on('error', end).on('close', end);
    signal.addEventListener('abort', end);
    if (signal.aborted) return end();
    client.pipe(upstream);
    upstream.pipe(client);
  });
}

/** Answers an upgrade that is refused as the plain request that it was. */
export function writeRefusal(socket: Duplex, answer: ApiResponse): void {
  if (socket.destroyed) return;
  const body = Buffer.from(answer.kind === 'object' ? JSON.stringify(answer.object) : '');
  const headers = { ...answer.headers, 'content-length': String(body.length), connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${answer.code} ${nodeHttp.STATUS_CODES[answer.code] ?? ''}\r\n${lines.join('')}\r\n`;
  socket.end(Buffer.concat([Buffer.from(head), body]));
  // The server's own time limits end with the upgrade.
  setTimeout(() => socket.destroy(), refusalMs).unref();
}
