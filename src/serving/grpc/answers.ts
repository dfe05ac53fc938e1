import http2, { type ServerHttp2Stream } from 'node:http2';
import { stalledMsMax } from '../http-exchange.ts';
import { framed } from './frames.ts';
import { codes, trailersOf } from './status.ts';

/** How long the rest of a refused request is read, so that its sender hears the answer. */
const refusedReadMs = 1_000;
const headers = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity,deflate,gzip',
};

/** The head of one or more messages, behind which trailers tell how it ended. */
export function beginAnswers(stream: ServerHttp2Stream): void {
  stream.respond(headers, { waitForTrailers: true });
}

/** Ends what `beginAnswers` began; only the first call tells how. */
export function endStream(stream: ServerHttp2Stream, trailers: Record<string, string>): void {
  if (stream.destroyed || stream.writableEnded) return;
  stream.once('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end();
  leaveRest(stream);
}

export function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.destroyed || stream.headersSent) return;
  beginAnswers(stream);
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(codes.ok) }));
  stream.end(framed(message));
  // Streams whose client doesn't read on would keep their answers.
  stream.setTimeout(stalledMsMax, () => stream.close(http2.constants.NGHTTP2_CANCEL));
}

export function fail(stream: ServerHttp2Stream, error: unknown): void {
  const trailers = trailersOf(error);
  if (stream.headersSent) {
    endStream(stream, trailers);
    return;
  }
  if (stream.destroyed) return;
  stream.respond({ ...headers, ...trailers }, { endStream: true });
  leaveRest(stream);
}

/** What is still coming of a request that is answered is not kept, and soon not taken (RFC 9113, 8.1). */
function leaveRest(stream: ServerHttp2Stream): void {
  stream.resume();
  if (stream.readableEnded) return;
  const stop = setTimeout(() => stream.close(http2.constants.NGHTTP2_NO_ERROR), refusedReadMs);
  stream.once('close', () => clearTimeout(stop));
}
