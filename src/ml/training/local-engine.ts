import { permutation, randomGenerator } from '../random.ts';
import type { Runtime, Session } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';
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

/** Batches between two reports are at least this far apart: a listener draws, it does not count. */
const reportIntervalMs = 50;

/** Loaded models that an engine keeps: training, evaluation and prediction of one model. */
const sessionsMax = 3;

/** An engine that works in the calling thread, whose event loop it blocks for each batch. */
export function localEngine(
  runtime: Runtime,
  { threads, now = () => performance.now() }: { threads?: number | undefined; now?: () => number } = {},
): Engine {
  const sessions = new Map<string, Session>();

  async function open({ id, bytes }: Program): Promise<Session> {
    const known = sessions.get(id);
    if (known) return known;
    const [oldest] = sessions;
    if (oldest && sessions.size >= sessionsMax) {
      sessions.delete(oldest[0]);
      await oldest[1].release();
    }
    const session = await runtime.open(bytes, { threads });
    sessions.set(id, session);
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
      state = await trainEpoch(session, job, state, epoch, means, listener, signal);
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

  async function trainEpoch(
    session: Session,
    { slots, examples, batchSize, shuffle, seed, learningRate }: TrainJob,
    start: TrainingState,
    epoch: number,
    means: Means,
    listener: TrainListener,
    signal?: AbortSignal,
  ): Promise<TrainingState> {
    // The steps done so far make each epoch's order its own, also over several calls.
    const random = randomGenerator(seed + start.iteration);
    const order = shuffle ? permutation(examples.y.length, random) : undefined;
    const rate = toScalar(learningRate);
    let state: Record<string, Tensor> = { weights: toVector(start.weights) };
    slots.forEach((name, index) => {
      state[name] = toVector(start.slots[index]!);
    });
    let { iteration } = start;
    let reported = now();
    for (const { x, y, size } of batches(examples, batchSize, order)) {
      if (signal?.aborted) break;
      iteration += 1;
      const next = await session.run({ ...state, x, y, iteration: toScalar(iteration), learning_rate: rate });
      state = Object.fromEntries(Object.keys(state).map((name) => [name, next[`next_${name}`]!]));
      means.add(next, size);
      if (now() - reported < reportIntervalMs && means.seen < examples.y.length) continue;
      reported = now();
      listener.onBatch({ epoch, seen: means.seen, ...means.logs() });
    }
    // All of the state is float32, as the program declares it.
    const vector = (name: string) => state[name]!.data as Float32Array;
    return { weights: vector('weights'), slots: slots.map(vector), iteration };
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
    await Promise.all([...sessions.values()].map((session) => session.release()));
    sessions.clear();
  }

  return { train, evaluate, predict, close };
}

/** Means over examples, not over batches: the last batch may be smaller. */
class Means {
  seen = 0;
  #loss = 0;
  #correct = 0;

  add({ loss, correct }: Record<string, Tensor>, size: number): void {
    this.seen += size;
    this.#loss += Number(loss!.data[0]) * size;
    this.#correct += Number(correct!.data[0]);
  }

  logs(): { loss: number; accuracy: number } {
    return { loss: this.#loss / this.seen, accuracy: this.#correct / this.seen };
  }
}

const toVector = (data: Float32Array): Tensor => ({ dtype: 'float32', shape: [data.length], data });
const toScalar = (value: number): Tensor => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });

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
