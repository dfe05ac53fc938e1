import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { besideModule, ThreadPool } from './thread-pool.ts';

/** One element to change; its random numbers begin with the seed. */
export interface MapRequest {
  element: unknown;
  index: number;
  randomSeed: number;
}

export type MapReply =
  | { id: number; result: unknown }
  | { id: number; reason: string }
  /** The module can't be used at all. */
  | { id: number; problem: string };

/** What the threads are started with. */
export interface MapModule {
  url: string;
  name: string;
}

/** As many threads as leave one processor to the training. */
export const mapThreads = (): number => Math.max(1, availableParallelism() - 1);

/** Threads that change elements by a function of a module. */
export class MapThreads {
  readonly #pool: ThreadPool<MapRequest, MapReply>;
  readonly #file: string;

  constructor(module: URL, { name, threads }: { name: string; threads: number }) {
    this.#file = basename(module.pathname);
    const worker = besideModule('map-worker', import.meta.url);
    const workerData: MapModule = { url: module.href, name };
    this.#pool = new ThreadPool({ threads, start: () => new Worker(worker, { workerData, execArgv: [] }) });
  }

  /** @throws Error that names the module, and the element's place. */
  async change(request: MapRequest): Promise<unknown> {
    const reply = await this.#pool.ask(request).catch((cause: Error) => {
      throw new Error(`map(${this.#file}), ${placeOf(request)}: ${cause.message}`, { cause });
    });
    if ('result' in reply) return reply.result;
    if ('problem' in reply) throw new Error(`map(${this.#file}): ${reply.problem}`);
    throw new Error(`map(${this.#file}), ${placeOf(request)}: ${reply.reason}`);
  }
}

function placeOf({ element, index }: MapRequest): string {
  const source = (element as { source?: unknown } | undefined)?.source;
  return `element ${index}${typeof source === 'string' ? ` (${source})` : ''}`;
}
