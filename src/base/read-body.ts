import type { IncomingMessage } from 'node:http';
import { StatusError } from './errors.ts';

export interface BodyBounds {
  bytesMax: number;
  /** A sender that takes longer is cut off. */
  timeoutMs: number;
  /** What is said of a body that is larger. */
  tooLarge(bytesMax: number): string;
}

/** A request's whole body, of several chunks a copy.
 * @throws StatusError RequestEntityTooLarge before more than `bytesMax` are kept, Timeout. */
export async function readBody(
  message: IncomingMessage,
  { bytesMax, timeoutMs, tooLarge }: BodyBounds,
): Promise<Buffer> {
  const refusal = () => new StatusError('RequestEntityTooLarge', tooLarge(bytesMax));
  if (Number(message.headers['content-length'] ?? 0) > bytesMax) throw refusal();
  // A short one has come along with its head.
  const whole = message.complete && message.readableLength <= bytesMax ? message.read() : null;
  if (whole !== null) return whole;
  const timer = setTimeout(
    () => message.destroy(new StatusError('Timeout', `the body did not come within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw refusal();
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
}
