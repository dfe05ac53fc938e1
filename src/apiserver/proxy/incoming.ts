import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { ApiRequest } from '../../client/transport.ts';
import { auditIdOf } from '../http/audit-id.ts';

/** A request as it is passed on to another server: its body is not read here. */
export interface Incoming {
  method: string;
  /** With its `?`; empty where there is none. */
  search: string;
  /** Lower-case names. */
  headers: Record<string, string | string[]>;
  /** Undefined where there is none. */
  body: Readable | undefined;
  /** Where it came from. */
  address: string | undefined;
  /** What its audit events go by, here and there. */
  auditId?: string;
}

const messages = new WeakMap<ApiRequest, IncomingMessage>();

/** Keeps the message that a request came in, so that it can be passed on as it is. */
export function setMessage(request: ApiRequest, message: IncomingMessage): void {
  messages.set(request, message);
}

/** Reads what is to be passed on; a request of this process has an object for a body. */
export function incomingOf(request: ApiRequest): Incoming {
  const message = messages.get(request);
  const { method } = request;
  if (!message) {
    const text = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = { ...request.headers };
    if (text !== undefined) headers['content-length'] = String(Buffer.byteLength(text));
    const search = request.query.size > 0 ? `?${request.query}` : '';
    const body = text === undefined ? undefined : Readable.from([Buffer.from(text)]);
    return { method, search, headers, body, address: undefined };
  }
  const url = message.url ?? '';
  const at = url.indexOf('?');
  const headers: Incoming['headers'] = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined && !name.startsWith(':')) headers[name] = value;
  }
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  // In HTTP/2 a body needs neither header: it ends with its stream.
  const isBody = hasBody || (message.httpVersionMajor >= 2 && !['GET', 'HEAD'].includes(method));
  return {
    method,
    search: at < 0 ? '' : url.slice(at),
    headers,
    body: isBody ? message : undefined,
    address: message.socket.remoteAddress,
    auditId: auditIdOf(message),
  };
}
