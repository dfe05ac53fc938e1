/** The worker thread of `worker-engine.ts`: runs a local engine at the parent's bidding. Jobs take turns batch
 * by batch, so that a callback may evaluate the model while its training waits. */
import { parentPort, workerData } from 'node:worker_threads';
import type { TrainListener } from '../training/engine.ts';
import { localEngine } from '../training/local-engine.ts';
import { gated } from './exit-gate.ts';
import type { Reply, Request, WorkerOptions } from './messages.ts';
import { nodeRuntime } from './onnxruntime.ts';

const port = parentPort!;
const { threads, gate } = workerData as WorkerOptions;
const engine = localEngine(gated(nodeRuntime, gate), { threads });
const aborts = new Map<number, AbortController>();
const epochAnswers = new Map<number, (goOn: boolean) => void>();

const send = (reply: Reply): void => port.postMessage(reply);

const listenerOf = (id: number): TrainListener => ({
  onBatch: (logs) => send({ kind: 'batch', id, logs }),
  onEpoch: (epoch, logs, state) => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    epochAnswers.set(id, resolve);
    send({ kind: 'epoch', id, epoch, logs, state });
    return promise;
  },
});

function perform(request: Request) {
  switch (request.kind) {
    case 'train': {
      const abort = new AbortController();
      aborts.set(request.id, abort);
      return engine.train(request.job, listenerOf(request.id), abort.signal);
    }
    case 'evaluate':
      return engine.evaluate(request.job);
    case 'predict':
      return engine.predict(request.job);
    default:
      return engine.close();
  }
}

async function answer(request: Request): Promise<void> {
  const { id } = request;
  try {
    send({ kind: 'result', id, result: (await perform(request)) ?? undefined });
  } catch (error) {
    send({ kind: 'error', id, error });
  }
  aborts.delete(id);
  epochAnswers.delete(id);
}

const running = new Set<Promise<void>>();

function start(request: Request): void {
  const job = answer(request);
  running.add(job);
  job.finally(() => running.delete(job));
}

async function close(request: Request): Promise<void> {
  for (const abort of aborts.values()) abort.abort();
  await Promise.all(running);
  await answer(request);
}

port.on('message', (request: Request) => {
  if (request.kind === 'abort') aborts.get(request.id)?.abort();
  else if (request.kind === 'epochAnswer') epochAnswers.get(request.id)?.(request.goOn);
  else if (request.kind === 'close') close(request);
  else start(request);
});
