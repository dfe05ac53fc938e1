import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { WatchEvent } from '../../client/transport.ts';
import { encodeEvent } from './encode.ts';
import type { Exchange } from './serve.ts';
import { drained } from './write-parts.ts';

/** Sends a watch until it ends; the head is out already. */
export async function writeEvents(
  { response, signal }: Exchange,
  events: AsyncIterable<WatchEvent>,
): Promise<void> {
  // A response frames each part anew and sends head, part and end of a chunk as three: half the cost of an event that
  // goes to a thousand watchers. A chunk that is framed once goes to the socket as it is.
  const socket = response.chunkedEncoding ? response.socket : null;
  const sink: Writable | ServerResponse = socket ?? response;
  for await (const event of events) {
    if (signal.aborted) break;
    const { chunk, line } = framed(event);
    if (!sink.write(socket ? chunk : line)) await drained(response, signal, sink);
  }
  response.end();
}

interface Framed {
  type: string;
  line: Buffer;
  /** The line as a chunk of HTTP/1.1 (RFC 9112, section 7.1). */
  chunk: Buffer;
}

/** The newest events, each in a few forms (whole, as a table, as metadata): watchers are sent them one after another. */
export const framedMax = 16;
export const framedBytesMax = 64 * 1024;
const newest = new Map<object, Framed>();

function framed(event: WatchEvent): Framed {
  const known = newest.get(event.object);
  if (known?.type === event.type) return known;
  const made = frame(event);
  if (made.line.length > framedBytesMax) return made;
  newest.delete(event.object);
  newest.set(event.object, made);
  if (newest.size > framedMax) newest.delete(newest.keys().next().value!);
  return made;
}

/** How many events are kept framed at the moment. */
export function framedNow(): number {
  return newest.size;
}

function frame(event: WatchEvent): Framed {
  const text = encodeEvent(event);
  const bytes = Buffer.byteLength(text);
  const head = `${bytes.toString(16)}\r\n`;
  const chunk = Buffer.from(`${head}${text}\r\n`);
  return { type: event.type, chunk, line: chunk.subarray(head.length, head.length + bytes) };
}
