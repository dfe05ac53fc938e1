import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Kubernetes' clients send 32 KiB at once. */
export const messageBytesMax = 1024 * 1024;

/** Upgrades to WebSocket with the given subprotocol, which the client must have offered. */
export async function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocol: string,
): Promise<WebSocket> {
  // Loaded at the first use: most nodes never need it.
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: messageBytesMax,
    perMessageDeflate: false,
  });
  // Not through the library: it refuses the slash in `SPDY/3.1+portforward.k8s.io`, as RFC 6455 would have it.
  delete request.headers['sec-websocket-protocol'];
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, resolve));
}

/** The bytes of binary messages as one stream. */
export async function webSocketStream(socket: WebSocket): Promise<Duplex> {
  const { createWebSocketStream } = await import('ws');
  const stream = createWebSocketStream(socket);
  stream.on('error', () => {});
  return stream;
}
