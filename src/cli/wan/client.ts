import { fork } from 'node:child_process';
import type { Running } from '../../base/lifecycle.ts';
import type { LinkShape } from './link.ts';
import type { RelayReply, RelayRequest } from './main.ts';
import type { RelayCounters } from './relay.ts';

/** A simulated link in a process of its own. */
export interface WideAreaLink extends Running {
  /** Relays connections to `target` through the link; resolves to the relay's port on 127.0.0.1. */
  relay(name: string, target: { host: string; port: number }, port?: number): Promise<number>;
  /** Bytes so far, by relay name. */
  counters(): Promise<Record<string, RelayCounters>>;
}

type Asked = RelayRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

export async function startWideAreaLink(shape: LinkShape): Promise<WideAreaLink> {
  const child = fork(new URL('./main.ts', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (reply: RelayReply) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  child.on('message', (reply: RelayReply) => {
    const caller = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.error) caller?.reject(new Error(`the WAN relay: ${reply.error}`));
    else caller?.resolve(reply);
  });
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the WAN relay ended'));
  });
  const ask = (request: Asked): Promise<RelayReply> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve, reject });
      child.send({ id, ...request });
    });

  await ask({ kind: 'link', shape });
  return {
    relay: async (name, target, port) =>
      (await ask({ kind: 'relay', name, target, ...(port && { port }) })).port!,
    counters: async () => (await ask({ kind: 'counters' })).counters!,
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.disconnect();
      }),
  };
}
