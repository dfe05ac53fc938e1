import http from 'node:http';
import { fromNode, type HttpAnswer, type HttpRequest, sendNode } from './http-exchange.ts';

/** Longer than the mesh's idle time, so that the caller and not the server closes an idle connection. */
const keepAliveTimeoutMs = 75_000;
/** Of the head; it holds no tensors. */
export const headBytesMax = 16 * 1024;

/** The server's handler over `node:http`, without the cost of standard requests and streams. */
export function createHttpServer(handle: (request: HttpRequest) => Promise<HttpAnswer>): http.Server {
  const server = http.createServer(
    { maxHeaderSize: headBytesMax, keepAliveTimeout: keepAliveTimeoutMs, noDelay: true },
    (incoming, outgoing) => {
      outgoing.on('error', () => {});
      // It throws nothing: failures are answers.
      const request = fromNode(incoming);
      void handle(request).then((answer) => sendNode(answer, incoming, outgoing, request.held));
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const status =
      error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    const body = JSON.stringify({ error: `the request is not HTTP: ${error.message}` });
    socket.end(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  });
  return server;
}
