import type { IncomingMessage } from 'node:http';
import { StatusError } from '../../base/errors.ts';
import { type BodyBounds, readBody as readBytes } from '../../base/read-body.ts';
import type { ApiRequest } from '../../client/transport.ts';
import { bodyBytesMax, takeBody } from '../body.ts';
import { badRequest } from '../failures.ts';
import type { Target } from './target.ts';

/** A body must have come whole by then. */
export const bodyTimeoutMs = 60_000;

/** OPTIONS is for other servers only, to which requests are passed on. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** An ApiRequest whose body is not read yet. */
export function readHead(message: IncomingMessage, { path, query }: Target, signal: AbortSignal): ApiRequest {
  const method = message.method ?? '';
  if (!methods.has(method)) {
    throw new StatusError('MethodNotAllowed', `the server does not allow the method ${method}`);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined && !name.startsWith(':'))
      headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  // The set above holds what the type allows, but for HEAD and OPTIONS, which are refused where they mean nothing.
  return { method: method as ApiRequest['method'], path, query, headers, signal };
}

/** Reads and parses the body into `request`, if there is one. */
export async function readBody(message: IncomingMessage, request: ApiRequest): Promise<void> {
  const { method, headers } = request;
  if (method === 'GET' || (method as string) === 'HEAD') return;
  const encoding = headers['content-encoding'];
  if (encoding && encoding !== 'identity') {
    throw badRequest(
      `a body with Content-Encoding ${JSON.stringify(encoding)} is not accepted: send it as it is`,
    );
  }
  const bytes = await readBytes(message, bounds);
  if (bytes.length === 0) return;
  await takeBody(request, bytes);
}

const bounds: BodyBounds = {
  bytesMax: bodyBytesMax,
  timeoutMs: bodyTimeoutMs,
  tooLarge: (bytesMax) => `Request entity too large: limit is ${bytesMax}`,
};
