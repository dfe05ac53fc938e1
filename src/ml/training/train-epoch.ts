import { learningRateAt } from '../optimizers/schedules.ts';
import { permutation, randomGenerator } from '../random.ts';
import { drawAll } from '../random-inputs.ts';
import type { Session } from '../runtime.ts';
import { type Tensor, toScalar, toVector } from '../tensor.ts';
import { batches, equalWeights } from './batches.ts';
import { type Batch, isSource, type TrainingState, type TrainJob } from './engine.ts';
import type { Means } from './means.ts';

export interface EpochWatch {
  epoch: number;
  /** Batches of this epoch that an earlier run has done. */
  fromBatch: number;
  /** Takes in every batch. */
  means: Means;
  /** Called after every batch; false ends the epoch. */
  onBatch: (batch: number, state: () => TrainingState) => Promise<boolean> | boolean;
  signal?: AbortSignal | undefined;
}

/** Trains on every example once, in an order of its own, and returns the state after the last step. */
export async function trainEpoch(
  run: Session['run'],
  job: TrainJob,
  start: TrainingState,
  { epoch, fromBatch, means, onBatch, signal }: EpochWatch,
): Promise<TrainingState> {
  const names = ['weights', ...job.slots];
  let tensors = [start.weights, ...start.slots].map(toVector);
  let { iteration } = start;
  const state = (): TrainingState => {
    // All of the state is float32, as the program declares it.
    const [weights, ...slots] = tensors.map(({ data }) => data as Float32Array);
    return { weights: weights!, slots, iteration };
  };
  let batch = fromBatch;
  for await (const examples of batchesOf(job, start.iteration - fromBatch, { epoch, fromBatch })) {
    if (signal?.aborted) break;
    const feeds = feedsFor(job, examples, iteration);
    names.forEach((name, index) => {
      feeds[name] = tensors[index]!;
    });
    const outputs = await run(feeds);
    iteration += 1;
    batch += 1;
    tensors = names.map((name) => outputs[`next_${name}`]!);
    means.add(outputs, examples);
    const answer = onBatch(batch, state);
    if (!(typeof answer === 'boolean' ? answer : await answer)) break;
  }
  return state();
}

/** The steps done before an epoch make its order its own, also over several calls. */
function batchesOf(
  { examples, batchSize, shuffle, seed }: TrainJob,
  stepsBefore: number,
  { epoch, fromBatch }: { epoch: number; fromBatch: number },
): Iterable<Batch> | AsyncIterable<Batch> {
  if (isSource(examples)) return examples.batches({ epoch, fromBatch });
  const random = randomGenerator(seed + stepsBefore);
  const order = shuffle ? permutation(examples.x.shape[0]!, random) : undefined;
  return batches(examples, batchSize, { order, fromBatch });
}

function feedsFor(
  { learningRate, program: { randomInputs = [] } }: TrainJob,
  { x, y, sampleWeights }: Batch,
  step: number,
): Record<string, Tensor> {
  return {
    x,
    y,
    sample_weight: sampleWeights ?? equalWeights(x),
    iteration: toScalar(step + 1),
    learning_rate: toScalar(learningRateAt(learningRate, step)),
    ...drawAll(randomInputs, { step, batchSize: x.shape[0]! }),
  };
}
