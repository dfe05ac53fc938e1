import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** The connections of HTTP/2 requests: what such a request shows as its socket is a stand-in for its stream. */
const connections = new WeakMap<IncomingMessage, TLSSocket>();

export function setConnection(request: IncomingMessage, socket: TLSSocket): void {
  connections.set(request, socket);
}

/** The TLS connection that a request came over; undefined where it came over none. */
export function connectionOf(request: IncomingMessage): TLSSocket | undefined {
  const known = connections.get(request);
  if (known) return known;
  return request.socket instanceof TLSSocket ? request.socket : undefined;
}
