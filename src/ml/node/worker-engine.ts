import { Worker } from 'node:worker_threads';
import type { Tensor } from '../tensor.ts';
import {
  type BatchSource,
  type Engine,
  type EpochAnswer,
  type EpochLogs,
  isSource,
  type TrainingState,
  type TrainListener,
} from '../training/engine.ts';
import { dropGate, openGate } from './exit-gate.ts';
import type { RemoteSource, Reply, Request, WorkerOptions } from './messages.ts';
import { BatchStreams } from './remote-batches.ts';

/** A worker thread and the data sets that it draws on. */
interface Thread {
  worker: Worker;
  streams: BatchStreams;
}

interface Pending {
  thread: Thread;
  resolve: (result: never) => void;
  reject: (error: unknown) => void;
  listener?: TrainListener;
}

/** Everything of a request but its number, for each kind. */
type Body<R> = R extends Request & { id: number } ? Omit<R, 'id'> : never;

/** Keeps a data set here and gives what the worker knows it by; arrays travel. */
type Hand = <T extends object>(data: T | BatchSource) => T | RemoteSource;

/** An engine in a worker thread of its own, started by the first job; the caller's event loop stays free. While no
 * job runs, the thread does not keep the process alive. */
export class WorkerEngine implements Engine {
  readonly #threads: number | undefined;
  readonly #pending = new Map<number, Pending>();
  #thread: Thread | undefined;
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
    const thread = this.#start();
    const { worker } = thread;
    const abort = () => worker.postMessage({ kind: 'abort', id } satisfies Request);
    signal?.addEventListener('abort', abort, { once: true });
    return this.#withData(thread, (hand) => {
      const { examples, validation } = job;
      const held = validation && { ...validation, examples: hand(validation.examples) };
      const body = { kind: 'train' as const, job: { ...job, examples: hand(examples), validation: held } };
      const result = this.#request<TrainingState>(body, { id, thread, listener });
      if (signal?.aborted) abort();
      return result;
    }).finally(() => signal?.removeEventListener('abort', abort));
  }

  evaluate(job: Parameters<Engine['evaluate']>[0]): Promise<EpochLogs> {
    const thread = this.#start();
    return this.#withData(thread, (hand) =>
      this.#request({ kind: 'evaluate', job: { ...job, examples: hand(job.examples) } }, { thread }),
    );
  }

  predict(job: Parameters<Engine['predict']>[0]): Promise<Tensor> {
    const thread = this.#start();
    return this.#withData(thread, (hand) =>
      this.#request({ kind: 'predict', job: { ...job, x: hand(job.x) } }, { thread }),
    );
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    // A job that comes from now on starts another thread.
    this.#thread = undefined;
    await this.#request({ kind: 'close' }, { thread });
    await thread.worker.terminate();
  }

  /** Runs a job whose data sets stay here, and forgets them when it ends. */
  async #withData<T>({ streams }: Thread, run: (hand: Hand) => Promise<T>): Promise<T> {
    const sources: number[] = [];
    const hand: Hand = (data) => {
      if (!isSource(data)) return data;
      const source = streams.add(data);
      sources.push(source);
      return { source };
    };
    try {
      return await run(hand);
    } finally {
      for (const source of sources) streams.remove(source);
    }
  }

  #nextId(): number {
    this.#count += 1;
    return this.#count;
  }

  #request<T>(
    body: Body<Request>,
    { id = this.#nextId(), thread, listener }: { id?: number; thread: Thread; listener?: TrainListener },
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#pending.set(id, { thread, resolve, reject, ...(listener && { listener }) });
    thread.worker.ref();
    thread.worker.postMessage({ ...body, id });
    return promise;
  }

  #start(): Thread {
    if (this.#thread) return this.#thread;
    const gate = openGate();
    // Installed from npm this is JavaScript, in the repository TypeScript.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    const worker = new Worker(new URL(`./worker${extension}`, import.meta.url), {
      workerData: { threads: this.#threads, gate } satisfies WorkerOptions,
      // The process's own, as `--input-type` or `--test`, are not for this file.
      execArgv: [],
    });
    const thread = { worker, streams: new BatchStreams(worker) };
    worker.on('message', (reply: Reply) => this.#receive(thread, reply));
    worker.on('error', (error) => this.#fail(thread, error));
    worker.on('exit', (code) => {
      dropGate(gate);
      this.#fail(thread, new Error(`The learning thread ended with code ${code}`));
    });
    this.#thread = thread;
    return thread;
  }

  #receive(thread: Thread, reply: Reply): void {
    if (reply.kind === 'pull') void thread.streams.pull(reply);
    else if (reply.kind === 'closeStream') void thread.streams.close(reply.stream);
    else {
      const pending = this.#pending.get(reply.id);
      if (pending) this.#take(pending, reply);
    }
  }

  #take(pending: Pending, reply: Exclude<Reply, { kind: 'pull' | 'closeStream' }>): void {
    const { thread, listener } = pending;
    if (reply.kind === 'batch') this.#reportBatch(pending, reply);
    else if (reply.kind === 'epoch') {
      const { id, epoch, logs, state } = reply;
      this.#answer(thread, id, listener!.onEpoch(epoch, logs, state));
    } else if (reply.kind === 'checkpoint') {
      const { id, position, state } = reply;
      this.#answer(thread, id, Promise.resolve(listener!.onCheckpoint?.(position, state)).then(goOn));
    } else {
      this.#pending.delete(reply.id);
      const isIdle = !this.#pending.values().some((other) => other.thread === thread);
      if (isIdle) thread.worker.unref();
      if (reply.kind === 'error') pending.reject(reply.error);
      // The worker answers each kind of request with that kind's result.
      else pending.resolve(reply.result as never);
    }
  }

  #reportBatch({ thread, listener }: Pending, { id, logs }: Reply & { kind: 'batch' }): void {
    const tell = (request: Request) => thread.worker.postMessage(request);
    try {
      if (!listener!.onBatch(logs)) tell({ kind: 'endEpoch', id });
    } catch (error) {
      this.#abandon(id, error);
      tell({ kind: 'abort', id });
    }
  }

  #answer({ worker }: Thread, id: number, asked: Promise<EpochAnswer>): void {
    const tell = (answer: EpochAnswer) =>
      worker.postMessage({ kind: 'answer', id, answer } satisfies Request);
    asked.then(tell, (error) => {
      this.#abandon(id, error);
      worker.postMessage({ kind: 'abort', id } satisfies Request);
      tell({ goOn: false });
    });
  }

  /** A callback threw: its caller learns why at once, and the job is left to end by itself. */
  #abandon(id: number, error: unknown): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    pending.reject(error);
    const silent = { onBatch: () => false, onEpoch: async () => ({ goOn: false }) };
    this.#pending.set(id, { ...pending, resolve: () => {}, reject: () => {}, listener: silent });
  }

  #fail(thread: Thread, error: unknown): void {
    if (thread === this.#thread) this.#thread = undefined;
    thread.streams.closeAll();
    for (const [id, pending] of this.#pending) {
      if (pending.thread !== thread) continue;
      this.#pending.delete(id);
      pending.reject(error);
    }
  }
}

const goOn = (): EpochAnswer => ({ goOn: true });
