import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, createServer, type Http2ServerRequest, type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { setConnection } from './connection.ts';

/** Requests that one connection may have under way, as kube-apiserver has it; a client opens more connections. */
export const streamsPerConnectionMax = 100;
/** A body may be so far ahead of us; most fit whole. */
const streamWindowBytes = 256 * 1024;
const headerPairsMax = 128;
/** A client that breaks the protocol so often, or opens so many streams beyond the bound, is cut off. */
const invalidFramesMax = 100;
const rejectedStreamsMax = 100;
/** Streams that a client may open and cancel at once, and then each second: CVE-2023-44487, rapid reset. */
const resetBurst = 200;
const resetsPerSecond = 50;
const settingsMax = 32;
/** Header tables, queued headers and unanswered frames of one connection, in megabytes. */
const sessionMegabytesMax = 4;

/** Speaks HTTP/2 on connections that asked for it in their TLS handshake. */
export interface Http2 {
  take(socket: TLSSocket): void;
  /** Tells clients to send no more; what is under way goes on. */
  drain(): void;
  destroy(): void;
}

/** What an HTTP/2 client sends is handed on in the form of an HTTP/1.1 request. */
export function createHttp2(options: {
  headerBytesMax: number;
  /** A connection without a request is closed after so long. */
  idleTimeoutMs: number;
  onRequest: (request: IncomingMessage, response: ServerResponse) => void;
}): Http2 {
  const sockets = new Map<ServerHttp2Session, TLSSocket>();
  let taken: TLSSocket | undefined;
  const server = createServer({
    settings: {
      maxConcurrentStreams: streamsPerConnectionMax,
      initialWindowSize: streamWindowBytes,
      maxHeaderListSize: options.headerBytesMax,
      enablePush: false,
    },
    maxHeaderListPairs: headerPairsMax,
    maxSessionInvalidFrames: invalidFramesMax,
    maxSessionRejectedStreams: rejectedStreamsMax,
    maxSessionMemory: sessionMegabytesMax,
    maxSettings: settingsMax,
    streamResetBurst: resetBurst,
    streamResetRate: resetsPerSecond,
  });
  server.on('session', (session) => {
    // The session of a socket begins while that socket is handed over.
    sockets.set(session, taken!);
    let streams = 0;
    session.on('stream', (stream) => {
      streams += 1;
      stream.once('close', () => {
        streams -= 1;
      });
    });
    session.setTimeout(options.idleTimeoutMs, () => {
      if (streams === 0) session.close();
    });
    session.on('error', () => session.destroy());
    session.once('close', () => sockets.delete(session));
  });
  server.on('request', (request, response) => {
    const socket = request.stream.session && sockets.get(request.stream.session as ServerHttp2Session);
    if (!socket) return request.stream.close(constants.NGHTTP2_CANCEL);
    // What the settings say is advice to the client: nghttp2 itself takes up to 64 KiB.
    if (characters(request.rawHeaders) > options.headerBytesMax) {
      request.stream.respond({ ':status': 431 }, { endStream: true });
      return;
    }
    const message = adapt(request);
    setConnection(message, socket);
    // Node's compatibility API: it has what we use of a ServerResponse.
    options.onRequest(message, response as unknown as ServerResponse);
  });
  server.on('sessionError', () => {});
  return {
    take(socket) {
      taken = socket;
      server.emit('connection', socket);
      taken = undefined;
    },
    drain() {
      for (const session of sockets.keys()) session.close();
    },
    destroy() {
      for (const session of sockets.keys()) session.destroy();
    },
  };
}

/** Adds what HTTP/1.1 requests have and the compatibility API lacks. */
function adapt(request: Http2ServerRequest): IncomingMessage {
  request.headers.host ??= request.authority;
  Object.defineProperty(request, 'headersDistinct', { get: () => distinct(request.rawHeaders) });
  return request as unknown as IncomingMessage;
}

function characters(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

function distinct(rawHeaders: readonly string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = Object.create(null);
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    headers[name] ??= [];
    headers[name].push(rawHeaders[at + 1]!);
  }
  return headers;
}
