import http2, {
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { messageOf } from '../../base/errors.ts';
import { bodyBytesMax } from '../body.ts';
import { type Held, holdBytes } from '../held-bytes.ts';
import { tooLarge } from '../http-exchange.ts';
import type { ModelServer } from '../server.ts';
import { fail, succeed } from './answers.ts';
import { type Call, createCalls, inferPath, streamInferPath } from './calls.ts';
import { frameHeadBytes, unframed } from './frames.ts';
import { codes, GrpcError } from './status.ts';
import { serveStreamInfer } from './stream-infer.ts';
import { decodeMessage, encodeMessage } from './wire.ts';

/** Requests of one connection at once. */
export const streamsMax = 256;
const windowBytes = 1024 * 1024;
/** How long a request may take to come, as over HTTP; streams of requests stay open. */
export const requestMsMax = 300_000;

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
  const held = holdBytes();
  try {
    const coding = String(headers['grpc-encoding'] ?? 'identity');
    if (headers[':path'] === streamInferPath) {
      await serveStreamInfer(calls.get(inferPath)!, stream, coding);
      return;
    }
    const call = calls.get(headers[':path'] ?? '');
    if (!call) throw new GrpcError(codes.unimplemented, `no such method: ${headers[':path']}`);
    const message = await unframe(await readAll(stream, held), coding, held);
    const response = await call.answer(decode(call, message));
    const answer = encodeMessage(call.response, response);
    held.add(answer.length);
    succeed(stream, answer);
  } catch (error) {
    fail(stream, error);
  } finally {
    cancelDeadline();
    // An answer is held until it is out.
    if (stream.closed || stream.destroyed) held.release();
    else stream.once('close', () => held.release());
  }
}

function decode(call: Call, message: Uint8Array) {
  try {
    return decodeMessage(call.request, message);
  } catch (error) {
    throw new GrpcError(codes.invalidArgument, `the message can't be read: ${messageOf(error)}`);
  }
}

/** All that comes of a unary call. */
function readAll(stream: ServerHttp2Stream, held: Held): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const late = setTimeout(
      () => refuse(new GrpcError(codes.deadlineExceeded, 'the request came too slowly')),
      requestMsMax,
    );
    function refuse(error: unknown): void {
      clearTimeout(late);
      stream.removeListener('data', take);
      chunks.length = 0;
      reject(error);
    }
    function take(chunk: Buffer): void {
      length += chunk.length;
      try {
        if (length > bodyBytesMax + frameHeadBytes) throw tooLarge();
        held.add(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        refuse(error);
      }
    }
    stream.on('data', take);
    stream.on('end', () => {
      clearTimeout(late);
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    stream.on('close', () => refuse(new GrpcError(codes.cancelled, 'the call was cancelled')));
  });
}

/** The one message of a unary call. */
async function unframe(body: Buffer, coding: string, held: Held): Promise<Uint8Array> {
  if (body.length >= frameHeadBytes && body.readUInt32BE(1) > bodyBytesMax) throw tooLarge();
  const isWhole = body.length >= frameHeadBytes && body.length === frameHeadBytes + body.readUInt32BE(1);
  if (!isWhole || body[0]! > 1)
    throw new GrpcError(codes.internal, 'the call must have one message, framed with its length');
  return unframed({ isPacked: body[0] === 1, message: body.subarray(frameHeadBytes) }, coding, held);
}

const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

function startDeadline(stream: ServerHttp2Stream, timeout: string | string[] | undefined): () => void {
  const found = /^(\d{1,8})([HMSmun])$/.exec(String(timeout ?? ''));
  if (!found) return () => {};
  const ms = Math.min(Number(found[1]) * unitMs[found[2]!]!, 2 ** 31 - 1);
  const timer = setTimeout(
    () => fail(stream, new GrpcError(codes.deadlineExceeded, 'the deadline has passed')),
    ms,
  );
  return () => clearTimeout(timer);
}
