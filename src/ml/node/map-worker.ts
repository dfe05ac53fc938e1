/** The thread of `map-threads.ts`: changes one element after the other by a function of the user's module. */
import { parentPort, workerData } from 'node:worker_threads';
import type { MapContext } from '../datasets/dataset.ts';
import { randomGenerator } from '../random.ts';
import type { MapModule, MapReply, MapRequest } from './map-threads.ts';

const { url, name } = workerData as MapModule;
const port = parentPort!;

type Change = (element: unknown, context: MapContext) => unknown;

async function load(): Promise<Change | { problem: string }> {
  try {
    const module = (await import(url)) as Record<string, unknown>;
    const change = module[name];
    // The module is the user's; what its function takes and gives is theirs to say.
    if (typeof change === 'function') return change as Change;
    const names = Object.keys(module).join(', ') || 'nothing';
    return { problem: `it has no function "${name}"; it exports ${names}` };
  } catch (error) {
    return { problem: `it can't be loaded: ${(error as Error).message}` };
  }
}

const loading = load();

port.on('message', async ({ id, element, index, randomSeed }: MapRequest & { id: number }) => {
  const send = (reply: MapReply) => port.postMessage(reply);
  const change = await loading;
  if (typeof change !== 'function') return send({ id, ...change });
  try {
    // Functions in a result don't travel: that is the element's error too.
    send({ id, result: await change(element, { index, random: randomGenerator(randomSeed) }) });
  } catch (cause) {
    send({ id, reason: cause instanceof Error ? cause.message : String(cause) });
  }
});
