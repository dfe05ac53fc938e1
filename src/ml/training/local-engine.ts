import type { Runtime, Session } from '../runtime.ts';
import { type Tensor, toVector } from '../tensor.ts';
import { batches, equalWeights, inputBatches } from './batches.ts';
import {
  type BatchSource,
  type Engine,
  type EpochLogs,
  type EvaluateJob,
  isSource,
  type PredictJob,
  type Program,
  type TrainingState,
  type TrainJob,
  type TrainListener,
} from './engine.ts';
import { Means } from './means.ts';
import { trainEpoch } from './train-epoch.ts';

/** Batches between two reports are at least this far apart: a listener draws, it does not count. */
const reportIntervalMs = 50;

/** Loaded models that an engine keeps: training (of whole batches, and of others), evaluation and prediction of one
 * model. */
const sessionsMax = 4;

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

  async function evaluate({ program, weights, examples, batchSize, metrics }: EvaluateJob) {
    const session = await open(program);
    const means = new Means(metrics);
    const vector = toVector(weights);
    const all = isSource(examples)
      ? examples.batches({ epoch: 0, fromBatch: 0 })
      : batches(examples, batchSize);
    for await (const batch of all) {
      const { x, y, sampleWeights } = batch;
      const sample_weight = sampleWeights ?? equalWeights(x);
      means.add(await session.run({ x, y, weights: vector, sample_weight }), batch);
    }
    if (means.seen === 0) throw new Error('The data set for evaluation has no batch');
    return means.logs();
  }

  async function train(job: TrainJob, listener: TrainListener, signal?: AbortSignal): Promise<TrainingState> {
    const { program, whole } = job;
    const run: Session['run'] = async (feeds) => {
      const session = await open(whole?.rows === feeds.x!.shape[0] ? whole!.program : program);
      return session.run(feeds);
    };
    const next = { ...job };
    let { state } = job;
    let {
      epoch: first,
      batch: fromBatch,
      means: sums,
    } = job.from ?? { epoch: 0, batch: 0, means: undefined };
    for (let epoch = first; epoch < job.epochs && !signal?.aborted; epoch += 1) {
      const means = new Means(job.metrics, sums);
      const onBatch = watch(next, listener, means, epoch);
      state = await trainEpoch(run, next, state, { epoch, fromBatch, means, onBatch, signal });
      if (signal?.aborted) break;
      if (means.seen === 0) throw new Error('The data set for training has no batch');
      [fromBatch, sums] = [0, undefined];
      const logs = await withValidation(next, means.logs(), state);
      const { goOn, learningRate } = await listener.onEpoch(epoch, logs, state);
      next.learningRate = learningRate ?? next.learningRate;
      if (!goOn) break;
    }
    return state;
  }

  /** Reports batches and asks for checkpoints. */
  function watch(
    { examples, checkpointEveryBatches }: TrainJob,
    listener: TrainListener,
    means: Means,
    epoch: number,
  ) {
    const count = isSource(examples) ? undefined : examples.x.shape[0]!;
    let reportedMs = now();
    return (batch: number, state: () => TrainingState): boolean | Promise<boolean> => {
      let goOn = true;
      if (now() - reportedMs >= reportIntervalMs || means.seen === count) {
        reportedMs = now();
        goOn = listener.onBatch({ epoch, seen: means.seen, ...means.logs() });
      }
      const isDue = checkpointEveryBatches && batch % checkpointEveryBatches === 0 && means.seen !== count;
      if (!isDue || !listener.onCheckpoint) return goOn;
      return listener.onCheckpoint({ epoch, batch, means: means.state() }, state()).then(() => goOn);
    };
  }

  async function withValidation(
    { validation, batchSize, metrics }: TrainJob,
    logs: EpochLogs,
    { weights }: TrainingState,
  ): Promise<EpochLogs> {
    if (!validation) return logs;
    const figures = await evaluate({ ...validation, weights, batchSize, metrics });
    const named = Object.entries(figures).map(([name, value]) => [`val_${name}`, value]);
    return { ...logs, ...Object.fromEntries(named) };
  }

  async function predict({ program, weights, x, batchSize }: PredictJob): Promise<Tensor> {
    const session = await open(program);
    const vector = toVector(weights);
    const parts: Tensor[] = [];
    const inputs = isSource(x) ? inputsOf(x) : inputBatches(x, batchSize);
    for await (const input of inputs) {
      parts.push((await session.run({ x: input, weights: vector })).output!);
    }
    if (parts.length === 0) throw new Error('The data set for predictions has no batch');
    return joinRows(parts);
  }

  async function close(): Promise<void> {
    const open = [...sessions.values()];
    sessions.clear();
    await Promise.all(open.map(async (session) => (await session).release()));
  }

  return { train, evaluate, predict, close };
}

async function* inputsOf(source: BatchSource): AsyncGenerator<Tensor> {
  for await (const { x } of source.batches({ epoch: 0, fromBatch: 0 })) yield x;
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
