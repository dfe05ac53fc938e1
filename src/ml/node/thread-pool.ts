import type { Worker } from 'node:worker_threads';

interface Waiting<Reply> {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** Threads without work end after this long: starting them takes about as long as decoding ten photographs. */
const idleMs = 5000;

/** Threads that answer requests, used in turn; they start with the first one. Without work they do not keep the process
 * alive. Whoever asks bounds how many requests wait. */
export class ThreadPool<Request extends object, Reply extends { id: number }> {
  readonly #threads: number;
  readonly #start: () => Worker;
  #workers: Worker[] = [];
  readonly #waiting = new Map<number, Waiting<Reply>>();
  #count = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor({ threads, start }: { threads: number; start: () => Worker }) {
    this.#threads = threads;
    this.#start = start;
  }

  /** @throws what ended a thread. */
  ask(request: Request): Promise<Reply> {
    clearTimeout(this.#idle);
    if (this.#workers.length === 0) this.#workers = Array.from({ length: this.#threads }, () => this.#open());
    for (const worker of this.#workers) worker.ref();
    const id = this.#count;
    this.#count += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, { resolve, reject });
    try {
      this.#workers[id % this.#workers.length]!.postMessage({ ...request, id });
    } catch (error) {
      // It holds what can't travel, as a function.
      this.#settle(id)?.reject(error as Error);
    }
    return promise;
  }

  #open(): Worker {
    const worker = this.#start();
    worker.on('message', (reply: Reply) => this.#settle(reply.id)?.resolve(reply));
    worker.on('error', (error) => this.#fail(worker, error as Error));
    worker.on('exit', (code) => this.#fail(worker, new Error(`a thread ended with code ${code}`)));
    return worker;
  }

  #settle(id: number): Waiting<Reply> | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#rest();
    return waiting;
  }

  #rest(): void {
    for (const worker of this.#workers) worker.unref();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#end(), idleMs).unref();
  }

  #end(): void {
    const workers = this.#workers;
    this.#workers = [];
    for (const worker of workers) void worker.terminate();
  }

  /** Of threads that `#end` has given up nobody waits. */
  #fail(worker: Worker, error: Error): void {
    if (!this.#workers.includes(worker)) return;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#end();
    for (const { reject } of waiting) reject(error);
  }
}

/** A worker's module beside `here`: JavaScript where it was installed from npm, TypeScript in the repository. */
export const besideModule = (name: string, here: string): URL =>
  new URL(`./${name}${here.slice(here.lastIndexOf('.'))}`, here);
