import type { Readable } from 'node:stream';
import { jsonLines } from '../../client/json-lines.ts';
import type { ApiRequest, ApiResponse, WatchEvent } from '../../client/transport.ts';
import type { ProxiedAnswer } from '../answer.ts';
import { isTrue } from '../request-info.ts';

/** JSON that a caller in this process gets whole. */
export const jsonBytesMax = 64 * 1024 * 1024;

/** What another server has answered, as callers in this process take it: objects, events or bytes. */
export async function decoded(request: ApiRequest, answer: ProxiedAnswer): Promise<ApiResponse> {
  const { code, bytes } = answer;
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  );
  const isJson = headers['content-type']?.startsWith('application/json') ?? false;
  if (!isJson || headers['content-encoding']) return { code, headers, kind: 'bytes', bytes };
  if (isTrue(request.query.get('watch')) && code === 200) {
    // What a watch sends are events, one a line.
    const events = jsonLines(bytes) as AsyncIterable<WatchEvent>;
    return { code, headers, kind: 'watch', events };
  }
  return { code, headers, kind: 'object', object: JSON.parse(await textOf(bytes)) };
}

async function textOf(bytes: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > jsonBytesMax) throw new Error(`the answer has more than ${jsonBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
