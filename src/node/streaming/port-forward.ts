import type { Duplex, Writable } from 'node:stream';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Headers } from './spdy/header-block.ts';
import { SpdySession } from './spdy/session.ts';
import type { SpdyStream } from './spdy/stream.ts';

/** Opens a connection to a port of the pod. */
export type DialPort = (port: number) => Promise<Duplex>;

/** One forwarded connection: its bytes, and where to say what went wrong. */
interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
}

/** A client opens both streams of a pair at once; one that stays alone so long is ended. */
const pairTimeoutMs = 30_000;

/**
 * Serves `portforward.k8s.io` on a SPDY connection until that closes: for each connection to forward, the client opens
 * a stream for errors and one for data, with the same `requestid` and `port`.
 */
export function forwardPorts(connection: Duplex, options: { dial: DialPort; pod: string; log: Log }): void {
  const pairs = new Map<string, Pair>();
  const timers = new Set<NodeJS.Timeout>();
  new SpdySession(connection, {
    accepts: (headers) => portOf(headers) !== undefined && kindOf(headers) !== undefined,
    onStream: (stream) => {
      const id = requestIdOf(stream);
      const kind = kindOf(stream.headers)!;
      const pair = pairs.get(id) ?? {};
      if (pair[kind]) return void stream.destroy();
      pair[kind] = stream;
      // The client says nothing on it.
      if (kind === 'error') stream.resume();
      if (!pair.data || !pair.error) {
        pairs.set(id, pair);
        const timer = setTimeout(() => {
          timers.delete(timer);
          if (pairs.get(id) !== pair || (pair.data && pair.error)) return;
          pairs.delete(id);
          pair.data?.destroy();
          pair.error?.end('timed out waiting for the second stream of the connection');
        }, pairTimeoutMs);
        timers.add(timer.unref());
        return;
      }
      pairs.delete(id);
      const port = portOf(pair.data.headers)!;
      const { data, error } = pair;
      void forward(data, error, () => options.dial(port), `port ${port} of pod ${options.pod}`);
    },
    onClose: (error) => {
      for (const timer of timers) clearTimeout(timer);
      if (error) options.log.warn('a port-forward connection was ended', { error: error.message });
    },
  });
}

/** Carries bytes both ways between a client's stream and a port until one side ends; failures go to `error`. */
export async function forward(
  data: Duplex,
  error: Writable,
  dial: () => Promise<Duplex>,
  what: string,
): Promise<void> {
  try {
    await joined(data, await dial());
    data.end();
    error.end();
  } catch (cause) {
    error.end(`error forwarding ${what}: ${messageOf(cause)}`);
    data.end();
  }
}

/** Resolves when the pod has ended its side, or the client is gone. */
function joined(data: Duplex, socket: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', resolve);
    socket.once('end', resolve);
    data.once('close', () => {
      socket.destroy();
      resolve();
    });
    if (data.destroyed) socket.destroy();
    data.pipe(socket);
    socket.pipe(data, { end: false });
  });
}

function kindOf(headers: Headers): 'data' | 'error' | undefined {
  const kind = headers.get('streamtype');
  return kind === 'data' || kind === 'error' ? kind : undefined;
}

function portOf(headers: Headers): number | undefined {
  return parsePort(headers.get('port') ?? '');
}

export function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port < 65536 ? port : undefined;
}

/** Clients from before request ids open the data stream right after that for errors. */
function requestIdOf({ id, headers }: SpdyStream): string {
  return headers.get('requestid') ?? `stream ${kindOf(headers) === 'error' ? id : id - 2}`;
}
