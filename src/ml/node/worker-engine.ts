import { Worker } from 'node:worker_threads';
import type { Tensor } from '../tensor.ts';
import type { Engine, TrainingState, TrainListener } from '../training/engine.ts';
import { dropGate, openGate } from './exit-gate.ts';
import type { Reply, Request, WorkerOptions } from './messages.ts';

interface Pending {
  worker: Worker;
  resolve: (result: never) => void;
  reject: (error: unknown) => void;
  listener?: TrainListener;
}

/** Everything of a request but its number, for each kind. */
type Body<R> = R extends Request ? Omit<R, 'id'> : never;

/** An engine in a worker thread of its own, started by the first job; the caller's event loop stays free. While no
 * job runs, the thread does not keep the process alive. */
export class WorkerEngine implements Engine {
  readonly #threads: number | undefined;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #count = 0;

  constructor({ threads }: { threads?: number | undefined } = {}) {
    this.#threads = threads;
  }

  train(
    job: Parameters<Engine['train']>[0],
    listener: TrainListener,
    signal?: AbortSignal,
  ): Promise<TrainingState> {
    const id = this.#nextId();
    const worker = this.#start();
    const abort = () => worker.postMessage({ kind: 'abort', id } satisfies Request);
    signal?.addEventListener('abort', abort, { once: true });
    const result = this.#request<TrainingState>({ kind: 'train', job }, { id, worker, listener });
    if (signal?.aborted) abort();
    return result.finally(() => signal?.removeEventListener('abort', abort));
  }

  evaluate(job: Parameters<Engine['evaluate']>[0]): Promise<{ loss: number; accuracy: number }> {
    return this.#request({ kind: 'evaluate', job });
  }

  predict(job: Parameters<Engine['predict']>[0]): Promise<Tensor> {
    return this.#request({ kind: 'predict', job });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    // A job that comes from now on starts another thread.
    this.#worker = undefined;
    await this.#request({ kind: 'close' }, { worker });
    await worker.terminate();
  }

  #nextId(): number {
    this.#count += 1;
    return this.#count;
  }

  #request<T>(
    body: Body<Request>,
    { id = this.#nextId(), worker = this.#start(), listener }: Partial<Pending & { id: number }> = {},
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#pending.set(id, { worker, resolve, reject, ...(listener && { listener }) });
    worker.ref();
    worker.postMessage({ ...body, id });
    return promise;
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const gate = openGate();
    // Installed from npm this is JavaScript, in the repository TypeScript.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    const worker = new Worker(new URL(`./worker${extension}`, import.meta.url), {
      workerData: { threads: this.#threads, gate } satisfies WorkerOptions,
      // The process's own, as `--input-type` or `--test`, are not for this file.
      execArgv: [],
    });
    worker.on('message', (reply: Reply) => this.#receive(worker, reply));
    worker.on('error', (error) => this.#fail(worker, error));
    worker.on('exit', (code) => {
      dropGate(gate);
      this.#fail(worker, new Error(`The learning thread ended with code ${code}`));
    });
    this.#worker = worker;
    return worker;
  }

  #receive(worker: Worker, reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    if (reply.kind === 'batch') this.#reportBatch(worker, pending, reply);
    else if (reply.kind === 'epoch') this.#answerEpoch(worker, pending, reply);
    else {
      this.#pending.delete(reply.id);
      const isIdle = !this.#pending.values().some((other) => other.worker === worker);
      if (isIdle) worker.unref();
      if (reply.kind === 'error') pending.reject(reply.error);
      // The worker answers each kind of request with that kind's result.
      else pending.resolve(reply.result as never);
    }
  }

  #reportBatch(worker: Worker, { listener }: Pending, { id, logs }: Reply & { kind: 'batch' }): void {
    try {
      listener!.onBatch(logs);
    } catch (error) {
      this.#abandon(worker, id, error);
      worker.postMessage({ kind: 'abort', id } satisfies Request);
    }
  }

  #answerEpoch(worker: Worker, { listener }: Pending, reply: Reply & { kind: 'epoch' }): void {
    const { id, epoch, logs, state } = reply;
    const answer = (goOn: boolean) => worker.postMessage({ kind: 'epochAnswer', id, goOn } satisfies Request);
    listener!.onEpoch(epoch, logs, state).then(answer, (error) => {
      this.#abandon(worker, id, error);
      answer(false);
    });
  }

  /** A callback threw: its caller learns why at once, and the job is left to end by itself. */
  #abandon(worker: Worker, id: number, error: unknown): void {
    this.#pending.get(id)?.reject(error);
    const silent = { onBatch: () => {}, onEpoch: async () => false };
    this.#pending.set(id, { worker, resolve: () => {}, reject: () => {}, listener: silent });
  }

  #fail(worker: Worker, error: unknown): void {
    if (worker === this.#worker) this.#worker = undefined;
    for (const [id, pending] of this.#pending) {
      if (pending.worker !== worker) continue;
      this.#pending.delete(id);
      pending.reject(error);
    }
  }
}
