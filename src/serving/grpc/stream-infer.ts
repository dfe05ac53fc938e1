import type { ServerHttp2Stream } from 'node:http2';
import { isStatus, messageOf } from '../../base/errors.ts';
import { type Held, holdBytes } from '../held-bytes.ts';
import { beginAnswers, endStream } from './answers.ts';
import type { Call } from './calls.ts';
import { framed, framesOf, unframed } from './frames.ts';
import { messages } from './messages.ts';
import { codes, GrpcError, trailersOf } from './status.ts';
import { decodeMessage, encodeMessage, type Value } from './wire.ts';

/** Requests of one stream that are under way; the stream is not read on until the first of them is answered. */
export const streamedMax = 16;

/**
 * Triton's ModelStreamInfer: requests as they come, each answered by a message in the order of the requests. What one of them
 * does wrong is told in its answer's `error_message`, and the stream goes on.
 * Source: https://github.com/triton-inference-server/common, protobuf/grpc_service.proto.
 */
export async function serveStreamInfer(
  infer: Call,
  stream: ServerHttp2Stream,
  coding: string,
): Promise<void> {
  beginAnswers(stream);
  let trailers: Record<string, string> = { 'grpc-status': String(codes.ok) };
  const answers: Promise<void>[] = [];
  let last = Promise.resolve();
  try {
    // Not destroyed with the loop: its end is that of the answers.
    for await (const frame of framesOf(stream.iterator({ destroyOnReturn: false }))) {
      const held = holdBytes();
      const message = Promise.resolve(bytesOf(frame, coding, held));
      const answer = answerOf(infer, message, held);
      last = last.then(async () => write(stream, await answer)).finally(() => held.release());
      answers.push(last);
      if (answers.length >= streamedMax) await answers.shift();
    }
    await last;
  } catch (error) {
    trailers = trailersOf(error);
  }
  endStream(stream, trailers);
}

/** What waits for its turn holds its bytes. */
async function bytesOf(
  frame: Parameters<typeof unframed>[0],
  coding: string,
  held: Held,
): Promise<Uint8Array> {
  held.add(frame.message.length);
  return unframed(frame, coding, held);
}

/** Never rejects. */
async function answerOf(infer: Call, message: Promise<Uint8Array>, held: Held): Promise<Buffer> {
  let id: unknown;
  try {
    const request = decodeMessage(infer.request, await message);
    id = request.id;
    const infer_response = await infer.answer(request);
    // Each request has one answer, so that each answer is the last.
    const parameters = {
      ...(infer_response.parameters as Value | undefined),
      triton_final_response: { bool_param: true },
    };
    const answer = encode({ infer_response: { ...infer_response, parameters } });
    held.add(answer.length);
    return answer;
  } catch (error) {
    const isExpected = isStatus(error) || error instanceof GrpcError || error instanceof RangeError;
    if (!isExpected) console.error(error);
    return encode({ error_message: messageOf(error), infer_response: { id } });
  }
}

const encode = (value: Value): Buffer => framed(encodeMessage(messages.streamInferResponse, value));

async function write(stream: ServerHttp2Stream, answer: Buffer): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  if (stream.write(answer)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['drain', 'close']) stream.once(event, resolve);
  await promise;
  for (const event of ['drain', 'close']) stream.off(event, resolve);
}
