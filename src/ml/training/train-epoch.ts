import { permutation, randomGenerator } from '../random.ts';
import type { Session } from '../runtime.ts';
import { type Tensor, toScalar, toVector } from '../tensor.ts';
import { batches } from './batches.ts';
import type { TrainingState, TrainJob } from './engine.ts';
import type { Means } from './means.ts';

export interface EpochWatch {
  /** Takes in every batch. */
  means: Means;
  /** Called after every batch. */
  onBatch: () => void;
  signal?: AbortSignal | undefined;
}

/** Trains on every example once, in an order of its own, and returns the state after the last step. */
export async function trainEpoch(
  session: Session,
  { slots, examples, batchSize, shuffle, seed, learningRate }: TrainJob,
  start: TrainingState,
  { means, onBatch, signal }: EpochWatch,
): Promise<TrainingState> {
  // The steps done so far make each epoch's order its own, also over several calls.
  const random = randomGenerator(seed + start.iteration);
  const order = shuffle ? permutation(examples.x.shape[0]!, random) : undefined;
  const names = ['weights', ...slots];
  let state = [start.weights, ...start.slots].map(toVector);
  let { iteration } = start;
  for (const { x, y, size } of batches(examples, batchSize, order)) {
    if (signal?.aborted) break;
    iteration += 1;
    const feeds: Record<string, Tensor> = {
      x,
      y,
      iteration: toScalar(iteration),
      learning_rate: toScalar(learningRate),
    };
    names.forEach((name, index) => {
      feeds[name] = state[index]!;
    });
    const outputs = await session.run(feeds);
    state = names.map((name) => outputs[`next_${name}`]!);
    means.add(outputs, size);
    onBatch();
  }
  // All of the state is float32, as the program declares it.
  const [weights, ...rest] = state.map((tensor) => tensor.data as Float32Array);
  return { weights: weights!, slots: rest, iteration };
}
