import net from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { LinkDirection, type LinkShape } from './link.ts';

/** What one connection may have under way in one direction before its sender is paused. */
const inFlightBytesMax = 1 << 20;
const connectionsMax = 1024;

export interface RelayCounters {
  /** Towards the relay's target (the cloud). */
  upBytes: number;
  /** From the target. */
  downBytes: number;
}

export interface Relay {
  port: number;
  counters(): RelayCounters;
  stop(): Promise<void>;
}

/** Both directions of one link; several relays may share it, as several connections share a real one. */
export interface Link {
  up: LinkDirection;
  down: LinkDirection;
  shape: LinkShape;
}

export function createLink(clock: Clock, shape: LinkShape): Link {
  return { up: new LinkDirection(clock, shape), down: new LinkDirection(clock, shape), shape };
}

/**
 * Forwards TCP connections to `target` through a simulated link. A connection's first bytes wait for the
 * round trip that its TCP handshake would have taken.
 */
export async function startRelay(options: {
  target: { host: string; port: number };
  host: string;
  port?: number;
  link: Link;
  clock: Clock;
}): Promise<Relay> {
  const { link, clock, target } = options;
  const counters: RelayCounters = { upBytes: 0, downBytes: 0 };
  const open = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => {
    const far = net.connect({ ...target, allowHalfOpen: true, noDelay: true });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
    pipe(near, far, link.up, (byteCount) => {
      counters.upBytes += byteCount;
    });
    pipe(far, near, link.down, (byteCount) => {
      counters.downBytes += byteCount;
    });
    near.pause();
    clock.after(2 * link.shape.delayMs, () => near.resume());
  });
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host, resolve);
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    counters: () => ({ ...counters }),
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function pipe(
  from: net.Socket,
  to: net.Socket,
  direction: LinkDirection,
  count: (byteCount: number) => void,
): void {
  let inFlightBytes = 0;
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
    inFlightBytes += chunk.length;
    if (inFlightBytes > inFlightBytesMax) from.pause();
    direction.send(chunk.length, () => {
      inFlightBytes -= chunk.length;
      if (inFlightBytes <= inFlightBytesMax && from.isPaused()) from.resume();
      if (to.writable) to.write(chunk);
    });
  });
  from.on('end', () => direction.send(0, () => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', (hadError) => {
    if (hadError) to.destroy();
  });
}
