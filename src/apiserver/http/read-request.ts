import type { IncomingMessage } from 'node:http';
import { StatusError } from '../../base/errors.ts';
import type { ApiRequest } from '../../client/transport.ts';
import { bodyBytesMax, parseBody, parsedBody } from '../body.ts';
import { badRequest } from '../failures.ts';

/** A body must have come whole by then. */
export const bodyTimeoutMs = 60_000;

const methods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Turns an HTTP request into an ApiRequest, its body read and parsed. */
export async function readRequest(
  message: IncomingMessage,
  url: URL,
  signal: AbortSignal,
): Promise<ApiRequest> {
  const request = readHead(message, url, signal);
  if (request.method === 'GET') return request;
  const bytes = await readBytes(message);
  if (bytes.length === 0) return request;
  const body = await parseBody(bytes, request.headers['content-type']);
  request.body = body.value;
  parsedBody.set(request, body);
  return request;
}

/** An ApiRequest without a body. */
export function readHead(message: IncomingMessage, url: URL, signal: AbortSignal): ApiRequest {
  const method = message.method ?? '';
  if (!methods.has(method)) {
    throw new StatusError('MethodNotAllowed', `the server does not allow the method ${method}`);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return {
    // The set above holds what the type allows.
    method: method as ApiRequest['method'],
    path: decodePath(url.pathname),
    query: url.searchParams,
    headers,
    signal,
  };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw badRequest(`the path ${path} is not valid percent-encoded UTF-8`, error);
  }
}

async function readBytes(message: IncomingMessage): Promise<Buffer> {
  if (Number(message.headers['content-length'] ?? 0) > bodyBytesMax) throw tooLarge();
  const timer = setTimeout(
    () => message.destroy(new StatusError('Timeout', `the body did not come within ${bodyTimeoutMs} ms`)),
    bodyTimeoutMs,
  );
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bodyBytesMax) throw tooLarge();
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): StatusError {
  return new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${bodyBytesMax}`);
}
