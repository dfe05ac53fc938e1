import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { ProbeResult } from './probe-request.ts';

const serving = 1;
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const answerBytesMax = 1024;
const codes: Record<string, string> = { 5: 'NOT_FOUND', 12: 'UNIMPLEMENTED', 14: 'UNAVAILABLE' };

/** Asks `grpc.health.v1.Health/Check` (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
export async function grpcCheck(
  service: string,
  at: { socket: Socket; host: string; port: number; signal: AbortSignal },
): Promise<ProbeResult> {
  const http2 = await import('node:http2');
  const session = http2.connect(`http://${at.host}:${at.port}`, { createConnection: () => at.socket });
  try {
    const { status, message } = await check(session, service, at.signal);
    if (status === serving) return { isSuccess: true };
    return { isSuccess: false, message };
  } finally {
    session.destroy();
  }
}

function check(
  session: ClientHttp2Session,
  service: string,
  signal: AbortSignal,
): Promise<{ status: number; message: string }> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.32',
    });
    const chunks: Buffer[] = [];
    let grpcStatus = '';
    let grpcMessage = '';
    const take = (headers: Record<string, unknown>) => {
      grpcStatus = String(headers['grpc-status'] ?? grpcStatus);
      grpcMessage = String(headers['grpc-message'] ?? grpcMessage);
    };
    signal.addEventListener('abort', () => stream.destroy(new Error('context deadline exceeded')), {
      once: true,
    });
    stream.on('response', take).on('trailers', take).on('error', reject);
    stream.on('data', (chunk: Buffer) => {
      if (Buffer.concat(chunks).length < answerBytesMax) chunks.push(chunk);
    });
    stream.on('end', () => {
      if (grpcStatus !== '0' && grpcStatus !== '') {
        const code = codes[grpcStatus] ?? grpcStatus;
        return resolve({
          status: 0,
          message: `rpc error: code = ${code} desc = ${decodeURIComponent(grpcMessage)}`,
        });
      }
      const status = statusOf(Buffer.concat(chunks));
      const name = statusNames[status] ?? String(status);
      resolve({ status, message: `service unhealthy (responded with "${name}")` });
    });
    stream.end(messageOf(service));
  });
}

/** A length-prefixed HealthCheckRequest: field 1, the service's name. */
function messageOf(service: string): Buffer {
  const name = Buffer.from(service);
  // Validation keeps names below 128 bytes, so one byte tells the length.
  const body = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a, name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** The enum in field 1 of a HealthCheckResponse; absent means 0. */
function statusOf(message: Buffer): number {
  return message[5] === 0x08 ? (message[6] ?? 0) : 0;
}
