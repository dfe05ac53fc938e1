import http2, {
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { isStatus, messageOf, type StatusReason } from '../../base/errors.ts';
import { bodyBytesMax, unpack } from '../body.ts';
import { tooLarge } from '../http-exchange.ts';
import type { ModelServer } from '../server.ts';
import { type Call, createCalls } from './calls.ts';
import { decodeMessage, encodeMessage } from './wire.ts';

/** Requests of one connection at once. */
export const streamsMax = 256;
const windowBytes = 1024 * 1024;
const frameHeadBytes = 5;
/** How long the rest of a refused request is read, so that its sender hears the answer. */
const refusedReadMs = 1_000;

/** Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html. */
const statusCodes: Partial<Record<StatusReason, number>> = {
  BadRequest: 3,
  Invalid: 3,
  Timeout: 4,
  NotFound: 5,
  AlreadyExists: 6,
  Forbidden: 7,
  RequestEntityTooLarge: 8,
  TooManyRequests: 8,
  MethodNotAllowed: 12,
  UnsupportedMediaType: 12,
  ServiceUnavailable: 14,
  Unauthorized: 16,
};
const internal = 13;
const invalidArgument = 3;
const deadlineExceeded = 4;
const unimplemented = 12;

class GrpcError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * The protocol over gRPC without TLS (which the mesh brings): one message each way, plain or gzip.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
 */
export function createGrpcServer(server: ModelServer): Http2Server {
  const calls = createCalls(server);
  const listener = http2.createServer({
    maxSessionMemory: 256,
    settings: { maxConcurrentStreams: streamsMax, initialWindowSize: windowBytes },
  });
  const sessions = new Set<ServerHttp2Session>();
  listener.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => {});
    session.setLocalWindowSize(8 * windowBytes);
  });
  listener.on('sessionError', () => {});
  listener.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    void serve(calls, stream, headers);
  });
  // As an HTTP/1 server does: calls under way are finished, and nobody waits for connections that are idle.
  const close = listener.close.bind(listener);
  listener.close = (callback) => {
    for (const session of sessions) session.close();
    return close(callback);
  };
  return listener;
}

async function serve(
  calls: Map<string, Call>,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): Promise<void> {
  const type = headers['content-type'] ?? '';
  if (headers[':method'] !== 'POST' || !type.startsWith('application/grpc')) {
    stream.respond({ ':status': headers[':method'] === 'POST' ? 415 : 405 }, { endStream: true });
    return;
  }
  const cancelDeadline = startDeadline(stream, headers['grpc-timeout']);
  try {
    const call = calls.get(headers[':path'] ?? '');
    if (!call) throw new GrpcError(unimplemented, `no such method: ${headers[':path']}`);
    const coding = String(headers['grpc-encoding'] ?? 'identity');
    const message = await unframe(await readAll(stream), coding);
    const response = await call.answer(decode(call, message));
    succeed(stream, encodeMessage(call.response, response));
  } catch (error) {
    fail(stream, error);
  } finally {
    cancelDeadline();
  }
}

function decode(call: Call, message: Uint8Array) {
  try {
    return decodeMessage(call.request, message);
  } catch (error) {
    throw new GrpcError(invalidArgument, `the message can't be read: ${messageOf(error)}`);
  }
}

function readAll(stream: ServerHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > bodyBytesMax + frameHeadBytes) {
        chunks.length = 0;
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    stream.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    stream.on('close', () => reject(new GrpcError(1, 'the call was cancelled')));
  });
}

/** The one message of a unary call. */
async function unframe(body: Buffer, coding: string): Promise<Uint8Array> {
  if (body.length >= frameHeadBytes && body.readUInt32BE(1) > bodyBytesMax) throw tooLarge();
  const isWhole = body.length >= frameHeadBytes && body.length === frameHeadBytes + body.readUInt32BE(1);
  if (!isWhole || body[0]! > 1)
    throw new GrpcError(internal, 'the call must have one message, framed with its length');
  const message = body.subarray(frameHeadBytes);
  if (body[0] === 0) return message;
  if (coding !== 'gzip' && coding !== 'deflate')
    throw new GrpcError(unimplemented, `grpc-encoding must be gzip, deflate or identity, got "${coding}"`);
  return unpack(message, coding);
}

function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.destroyed || stream.headersSent) return;
  const frame = Buffer.allocUnsafe(frameHeadBytes + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, frameHeadBytes);
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity,deflate,gzip' },
    { waitForTrailers: true },
  );
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(frame);
}

function fail(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.headersSent) return;
  const isExpected = isStatus(error) || error instanceof GrpcError;
  if (!isExpected) console.error(error);
  const status =
    error instanceof GrpcError
      ? error.status
      : isStatus(error)
        ? (statusCodes[error.reason] ?? internal)
        : internal;
  const retryAfter = isStatus(error) ? error.details?.retryAfterSeconds : undefined;
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(status),
      'grpc-message': percentEncoded(messageOf(error)),
      'grpc-accept-encoding': 'identity,deflate,gzip',
      ...(retryAfter && { 'grpc-retry-pushback-ms': String(retryAfter * 1000) }),
    },
    { endStream: true },
  );
  // What is still coming of a request that is refused is not kept, and soon not taken (RFC 9113, 8.1).
  stream.resume();
  if (stream.readableEnded) return;
  const stop = setTimeout(() => stream.close(http2.constants.NGHTTP2_NO_ERROR), refusedReadMs);
  stream.once('close', () => clearTimeout(stop));
}

/** As the specification has it: printable ASCII but for "%" stays. */
function percentEncoded(message: string): string {
  const bytes = Buffer.from(message.slice(0, 1000));
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
}

const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

function startDeadline(stream: ServerHttp2Stream, timeout: string | string[] | undefined): () => void {
  const found = /^(\d{1,8})([HMSmun])$/.exec(String(timeout ?? ''));
  if (!found) return () => {};
  const ms = Math.min(Number(found[1]) * unitMs[found[2]!]!, 2 ** 31 - 1);
  const timer = setTimeout(
    () => fail(stream, new GrpcError(deadlineExceeded, 'the deadline has passed')),
    ms,
  );
  return () => clearTimeout(timer);
}
