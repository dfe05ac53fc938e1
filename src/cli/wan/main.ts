// The relay process: simulates the link to the cloud away from everybody else's event loop. Its parent sends
// what to relay over IPC and asks for the counters; it ends with its parent.
import { systemClock } from '../../base/clock.ts';
import type { LinkShape } from './link.ts';
import { createLink, type Link, type Relay, type RelayCounters, startRelay } from './relay.ts';

export type RelayRequest =
  | { id: number; kind: 'link'; shape: LinkShape }
  | { id: number; kind: 'relay'; name: string; target: { host: string; port: number }; port?: number }
  | { id: number; kind: 'counters' };

export type RelayReply = {
  id: number;
  port?: number;
  counters?: Record<string, RelayCounters>;
  error?: string;
};

let link: Link | undefined;
const relays = new Map<string, Relay>();

async function answer(request: RelayRequest): Promise<Omit<RelayReply, 'id'>> {
  if (request.kind === 'link') {
    link = createLink(systemClock, request.shape);
    return {};
  }
  if (request.kind === 'counters') {
    return { counters: Object.fromEntries([...relays].map(([name, relay]) => [name, relay.counters()])) };
  }
  if (!link) throw new Error('no link yet');
  const { target, port } = request;
  const relay = await startRelay({
    target,
    host: '127.0.0.1',
    link,
    clock: systemClock,
    ...(port && { port }),
  });
  relays.set(request.name, relay);
  return { port: relay.port };
}

process.on('message', (request: RelayRequest) => {
  answer(request)
    .catch((error: Error) => ({ error: error.message }))
    .then((reply) => process.send?.({ id: request.id, ...reply }));
});
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {});
