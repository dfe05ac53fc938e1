import { StatusError } from '../base/errors.ts';

/** Bounds one watch event: an object may be 3 MiB at most, and JSON escapes can double it. */
export const lineBytesMax = 8 * 1024 * 1024;

/** Parses newline-delimited JSON as it arrives; a line over `bytesMax` or no JSON ends it with an error. */
export async function* jsonLines(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax = lineBytesMax,
): AsyncGenerator<unknown> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      parts.push(rest.subarray(0, end));
      check(bytes + end, bytesMax);
      rest = rest.subarray(end + 1);
      const line = Buffer.concat(parts).toString('utf8').trim();
      parts = [];
      bytes = 0;
      if (line) yield parse(line);
    }
    if (rest.length > 0) {
      parts.push(rest);
      bytes += rest.length;
      check(bytes, bytesMax);
    }
  }
  // A last line without newline was cut off in transit; what it said comes again with the next watch.
}

function check(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new StatusError('InternalError', `the server sent a watch event of over ${bytesMax} bytes`);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new StatusError(
      'InternalError',
      `the server sent a watch event that is no JSON: ${line.slice(0, 80)}`,
      {
        cause,
      },
    );
  }
}
