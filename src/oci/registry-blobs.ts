import { pipeline } from 'node:stream/promises';

import { neededBlobs } from './garbage-collect.ts';
import type { Call } from './registry-call.ts';
import { notAllowed, RegistryError } from './registry-error.ts';

export async function handleBlob(call: Call, digest: string): Promise<void> {
  switch (call.request.method) {
    case 'GET':
    case 'HEAD':
      return sendBlob(call, digest);
    case 'DELETE':
      return deleteBlob(call, digest);
    default:
      throw notAllowed(call.request.method, ['GET', 'HEAD', 'DELETE']);
  }
}

async function sendBlob({ store, request, response }: Call, digest: string): Promise<void> {
  const size = await store.stat(digest);
  if (size === undefined) throw new RegistryError(404, 'BLOB_UNKNOWN', `blob ${digest} is unknown`);
  // A pusher that is told "it is here" will soon name it in a manifest.
  if (request.method === 'HEAD') await store.touch(digest);
  const range = readRange(request.headers.range, size);
  response.setHeader('Content-Type', 'application/octet-stream');
  response.setHeader('Docker-Content-Digest', digest);
  response.setHeader('ETag', `"${digest}"`);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Content-Length', range ? range.end - range.start + 1 : size);
  if (range) response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${size}`);
  response.writeHead(range ? 206 : 200);
  if (request.method === 'HEAD' || size === 0) return void response.end();
  await pipeline(await store.get(digest, range), response);
}

/** One `bytes=` range (RFC 9110, 14.1.2); several ranges, or another unit, are answered with the whole blob. */
function readRange(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const isSuffix = match[1] === '';
  const start = isSuffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = isSuffix || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start <= end) return { start, end };
  const error = new RegistryError(416, 'SIZE_INVALID', `range ${header} is outside the blob's ${size} bytes`);
  error.headers = { 'Content-Range': `bytes */${size}` };
  throw error;
}

async function deleteBlob({ store, response }: Call, digest: string): Promise<void> {
  if (!(await store.has(digest))) throw new RegistryError(404, 'BLOB_UNKNOWN', `blob ${digest} is unknown`);
  if ((await neededBlobs(store)).has(digest)) {
    throw new RegistryError(
      405,
      'UNSUPPORTED',
      `blob ${digest} is part of a manifest; delete that one first`,
    );
  }
  await store.delete(digest);
  response.writeHead(202, { 'Content-Length': 0 }).end();
}
