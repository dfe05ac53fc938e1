import { randomGenerator } from '../../ml/random.ts';
import { pickExamples } from '../trainer/split-examples.ts';
import type { TrainingData } from '../trainer/training-data.ts';
import { partitionByDirichlet, partitionEvenly } from './partition.ts';

/** One client's share of the training examples, where all clients see the same ones; the test set stays whole.
 * @throws Error where the examples are streamed, or uneven shares are asked for without classes. */
export function dealtData(
  data: TrainingData,
  {
    place: [index, clients],
    concentration,
    seed,
  }: { place: [index: number, clients: number]; concentration: number | undefined; seed: number },
): TrainingData {
  const { train } = data;
  if ('batches' in train) {
    throw new Error('spec.federated.partition: Invalid value: a folder of images cannot be dealt out');
  }
  const random = randomGenerator(seed);
  const count = train.x.shape[0]!;
  if (concentration !== undefined && 'shape' in train.y) {
    throw new Error('spec.federated.partition.concentration: Invalid value: the examples have no classes');
  }
  const parts =
    concentration === undefined || 'shape' in train.y
      ? partitionEvenly(count, clients, random)
      : partitionByDirichlet(train.y, { clients, concentration, random });
  const own = parts[index]!;
  if (own.length === 0) throw new Error(`${count} examples are too few for ${clients} clients`);
  return { ...data, train: pickExamples(train, own), examples: own.length };
}
