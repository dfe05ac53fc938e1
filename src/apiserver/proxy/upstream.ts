import type { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';

/** Another server that requests are passed on to. */
export interface Upstream {
  /** What its own links name it as: `10.42.0.7:8080`. */
  host: string;
  /** Connects to it; with TLS, where it is asked for, done. Rejects with why not. */
  connect(signal: AbortSignal): Promise<Duplex>;
  /** Has connections that were made before. */
  agent?: Agent;
}

/** A connection must be there within this time; Kubernetes' own bound. */
export const connectTimeoutMs = 30_000;

/** Connects within the bound; what ends later than that is thrown away. */
export async function connectInTime(upstream: Upstream, signal: AbortSignal | undefined): Promise<Duplex> {
  const timeout = AbortSignal.timeout(connectTimeoutMs);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  const connecting = upstream.connect(either);
  return new Promise((resolve, reject) => {
    const abort = () => {
      const why = timeout.aborted ? new Error(`no connection within ${connectTimeoutMs} ms`) : either.reason;
      reject(why);
      connecting.then(
        (stream) => stream.destroy(),
        () => {},
      );
    };
    either.addEventListener('abort', abort, { once: true });
    if (either.aborted) return abort();
    connecting
      .then(resolve, (error) => (either.aborted ? undefined : reject(error)))
      .finally(() => either.removeEventListener('abort', abort));
  });
}

/** Speaks TLS over a connection; resolves when its handshake is done, and rejects where that fails. */
export async function overTls(stream: Duplex, options: ConnectionOptions): Promise<Duplex> {
  const { connect } = await import('node:tls');
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      stream.destroy();
      reject(error);
    };
    const tls = connect({ ...options, socket: stream }, () => {
      tls.off('error', fail);
      stream.off('close', closed);
      resolve(tls);
    });
    const closed = () => fail(new Error('the connection was closed during the TLS handshake'));
    tls.once('error', fail);
    stream.once('close', closed);
  });
}

/** Connects to an address that is reachable from here. */
export async function dialAddress(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  const { connect } = await import('node:net');
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal, noDelay: true });
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
