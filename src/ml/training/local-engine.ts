import type { Runtime, Session } from '../runtime.ts';
import { type Tensor, toVector } from '../tensor.ts';
import { batches } from './batches.ts';
import type {
  Engine,
  EpochLogs,
  EvaluateJob,
  PredictJob,
  Program,
  TrainingState,
  TrainJob,
  TrainListener,
} from './engine.ts';
import { Means } from './means.ts';
import { trainEpoch } from './train-epoch.ts';

/** Batches between two reports are at least this far apart: a listener draws, it does not count. */
const reportIntervalMs = 50;

/** Loaded models that an engine keeps: training, evaluation and prediction of one model. */
const sessionsMax = 3;

/** An engine that works in the calling thread, whose event loop it blocks for each batch. */
export function localEngine(
  runtime: Runtime,
  { threads, now = () => performance.now() }: { threads?: number | undefined; now?: () => number } = {},
): Engine {
  const sessions = new Map<string, Promise<Session>>();

  async function open({ id, bytes }: Program): Promise<Session> {
    const known = sessions.get(id);
    if (known) return known;
    const session = runtime.open(bytes, { threads });
    sessions.set(id, session);
    const [oldest] = sessions;
    if (oldest && sessions.size > sessionsMax) {
      sessions.delete(oldest[0]);
      await (await oldest[1]).release();
    }
    return session;
  }

  async function evaluate({ program, weights, examples, batchSize }: EvaluateJob) {
    const session = await open(program);
    const means = new Means();
    const vector = toVector(weights);
    for (const { x, y, size } of batches(examples, batchSize)) {
      means.add(await session.run({ x, y, weights: vector }), size);
    }
    return means.logs();
  }

  async function train(job: TrainJob, listener: TrainListener, signal?: AbortSignal): Promise<TrainingState> {
    const session = await open(job.program);
    let { state } = job;
    for (let epoch = 0; epoch < job.epochs && !signal?.aborted; epoch += 1) {
      const means = new Means();
      let reportedMs = now();
      const onBatch = () => {
        if (now() - reportedMs < reportIntervalMs && means.seen < job.examples.x.shape[0]!) return;
        reportedMs = now();
        listener.onBatch({ epoch, seen: means.seen, ...means.logs() });
      };
      state = await trainEpoch(session, job, state, { means, onBatch, signal });
      if (signal?.aborted) break;
      const logs: EpochLogs = means.logs();
      if (job.validation) {
        const { weights } = state;
        const validation = await evaluate({ ...job.validation, weights, batchSize: job.batchSize });
        logs.val_loss = validation.loss;
        logs.val_accuracy = validation.accuracy;
      }
      if (!(await listener.onEpoch(epoch, logs, state))) break;
    }
    return state;
  }

  async function predict({ program, weights, x, batchSize }: PredictJob): Promise<Tensor> {
    const session = await open(program);
    const count = x.shape[0]!;
    const vector = toVector(weights);
    const parts: Tensor[] = [];
    for (const batch of batches({ x, y: new Int32Array(count) }, batchSize)) {
      parts.push((await session.run({ x: batch.x, weights: vector })).output!);
    }
    return joinRows(parts);
  }

  async function close(): Promise<void> {
    const open = [...sessions.values()];
    sessions.clear();
    await Promise.all(open.map(async (session) => (await session).release()));
  }

  return { train, evaluate, predict, close };
}

function joinRows(parts: Tensor[]): Tensor {
  const rows = parts.reduce((total, part) => total + part.shape[0]!, 0);
  const shape = [rows, ...parts[0]!.shape.slice(1)];
  const data = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data as Float32Array, offset);
    offset += part.data.length;
  }
  return { dtype: 'float32', shape, data };
}
