import { bodyBytesMax, unpack } from '../body.ts';
import type { Held } from '../held-bytes.ts';
import { tooLarge } from '../http-exchange.ts';
import { codes, GrpcError } from './status.ts';

export const frameHeadBytes = 5;

interface Frame {
  isPacked: boolean;
  message: Buffer;
}

/**
 * The messages of a call's stream, each behind a byte that says whether it is packed and four of its length.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message". Throws RequestEntityTooLarge
 * for a message beyond `bodyBytesMax`, when its length is known; GrpcError where the stream is none of messages.
 */
export async function* framesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let parts: Buffer[] = [];
  let length = 0;
  let wanted = frameHeadBytes;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
    while (length >= wanted) {
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
      wanted = frameHeadBytes + sizeOf(bytes);
      parts = [bytes];
      if (length < wanted) break;
      yield { isPacked: bytes[0] === 1, message: bytes.subarray(frameHeadBytes, wanted) };
      parts = [bytes.subarray(wanted)];
      length -= wanted;
      wanted = frameHeadBytes;
    }
  }
  if (length > 0) throw new GrpcError(codes.internal, 'the last message was cut short');
}

function sizeOf(bytes: Buffer): number {
  if (bytes[0]! > 1) throw new GrpcError(codes.internal, 'a message must be framed with its length');
  const size = bytes.readUInt32BE(1);
  if (size > bodyBytesMax) throw tooLarge();
  return size;
}

/** The message of a frame. Throws GrpcError for a packing that is not offered, and what `unpack` does. */
export function unframed({ isPacked, message }: Frame, coding: string, held: Held) {
  if (!isPacked) return message;
  if (coding !== 'gzip' && coding !== 'deflate')
    throw new GrpcError(
      codes.unimplemented,
      `grpc-encoding must be gzip, deflate or identity, got "${coding}"`,
    );
  return unpack(message, coding, held);
}

export function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(frameHeadBytes + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, frameHeadBytes);
  return frame;
}
