/** The worker thread of `worker-engine.ts`: runs a local engine at the parent's bidding. Jobs take turns batch
 * by batch, so that a callback may evaluate the model while its training waits. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BatchSource, EpochAnswer, TrainListener } from '../training/engine.ts';
import { localEngine } from '../training/local-engine.ts';
import { gated } from './exit-gate.ts';
import type { RemoteSource, Reply, Request, WorkerOptions } from './messages.ts';
import { nodeRuntime } from './onnxruntime.ts';
import { RemoteBatches } from './remote-batches.ts';

const port = parentPort!;
const { threads, gate } = workerData as WorkerOptions;
const engine = localEngine(gated(nodeRuntime, gate), { threads });
const batches = new RemoteBatches(port);
const aborts = new Map<number, AbortController>();
/** Trainings whose epoch is to end after the batch at hand. */
const epochEnds = new Set<number>();
const answers = new Map<number, (answer: EpochAnswer) => void>();

const send = (reply: Reply): void => port.postMessage(reply);

function ask(id: number, question: Reply): Promise<EpochAnswer> {
  const { promise, resolve } = Promise.withResolvers<EpochAnswer>();
  answers.set(id, resolve);
  send(question);
  return promise;
}

const listenerOf = (id: number): TrainListener => ({
  onBatch(logs) {
    send({ kind: 'batch', id, logs });
    return !epochEnds.delete(id);
  },
  onEpoch: (epoch, logs, state) => ask(id, { kind: 'epoch', id, epoch, logs, state }),
  async onCheckpoint(position, state) {
    await ask(id, { kind: 'checkpoint', id, position, state });
  },
});

/** Data as they came, or a data set of the main thread. */
const here = <T extends object>(data: T | RemoteSource): T | BatchSource =>
  'source' in data ? batches.source(data.source) : data;

function perform(request: Request) {
  switch (request.kind) {
    case 'train': {
      const abort = new AbortController();
      aborts.set(request.id, abort);
      const { examples, validation, ...job } = request.job;
      const held = validation && { ...validation, examples: here(validation.examples) };
      return engine.train(
        { ...job, examples: here(examples), validation: held },
        listenerOf(request.id),
        abort.signal,
      );
    }
    case 'evaluate':
      return engine.evaluate({ ...request.job, examples: here(request.job.examples) });
    case 'predict':
      return engine.predict({ ...request.job, x: here(request.job.x) });
    default:
      return engine.close();
  }
}

async function answer(request: Request & { id: number }): Promise<void> {
  const { id } = request;
  try {
    send({ kind: 'result', id, result: (await perform(request)) ?? undefined });
  } catch (error) {
    send({ kind: 'error', id, error });
  }
  aborts.delete(id);
  answers.delete(id);
  epochEnds.delete(id);
}

const running = new Set<Promise<void>>();

function start(request: Request & { id: number }): void {
  const job = answer(request);
  running.add(job);
  job.finally(() => running.delete(job));
}

async function close(request: Request & { kind: 'close' }): Promise<void> {
  for (const abort of aborts.values()) abort.abort();
  await Promise.all(running);
  await answer(request);
}

port.on('message', (request: Request) => {
  switch (request.kind) {
    case 'abort':
      return aborts.get(request.id)?.abort();
    case 'endEpoch':
      return epochEnds.add(request.id);
    case 'answer':
      return answers.get(request.id)?.(request.answer);
    case 'batch':
    case 'batchError':
      return batches.receive(request);
    case 'close':
      return close(request);
    default:
      return start(request);
  }
});
