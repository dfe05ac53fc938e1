import { type Answers, targetAt } from './answers.ts';
import { areaUnderCurve, aucUpdate } from './auc.ts';
import type { MetricSpec } from './metric.ts';

/** Counts one metric over batches. Its sums are all that it remembers, so that a checkpoint can hold them. */
export interface Accumulator {
  sums: number[];
  update(answers: Answers): void;
  result(): number;
}

export function accumulatorOf(spec: MetricSpec): Accumulator {
  const { update, result, size } = rules(spec);
  const accumulator: Accumulator = {
    sums: [],
    update(answers) {
      const { sums } = accumulator;
      if (sums.length === 0) sums.push(...new Array<number>(size(answers.width)).fill(0));
      update(sums, spec.isWeighted ? answers : { ...answers, weights: undefined });
    },
    result: () => (accumulator.sums.length === 0 ? 0 : result(accumulator.sums)),
  };
  return accumulator;
}

interface Rules {
  /** How many sums there are, for a number of outputs. */
  size(width: number): number;
  update(sums: number[], answers: Answers): void;
  result(sums: number[]): number;
}

function rules(spec: MetricSpec): Rules {
  const { threshold = 0.5, k = 1 } = spec;
  switch (spec.kind) {
    case 'classAccuracy':
      return meanOf((answers, row) => (argMaxAt(answers, row) === classAt(answers, row) ? 1 : 0));
    case 'binaryAccuracy':
      return meanOf((answers, row) =>
        overColumns(answers, row, (target, output) => (output > threshold === target > 0.5 ? 1 : 0)),
      );
    case 'topK':
      return meanOf((answers, row) => (rankAt(answers, row) <= k ? 1 : 0));
    case 'meanAbsoluteError':
      return meanOf((answers, row) =>
        overColumns(answers, row, (target, output) => Math.abs(target - output)),
      );
    case 'meanSquaredError':
      return meanOf(squaredError);
    case 'rootMeanSquaredError': {
      const mean = meanOf(squaredError);
      return { ...mean, result: (sums) => Math.sqrt(mean.result(sums)) };
    }
    case 'precision':
      return { ...counts(threshold), result: ([hits, wrong]) => ratio(hits!, hits! + wrong!) };
    case 'recall':
      return { ...counts(threshold), result: ([hits, , missed]) => ratio(hits!, hits! + missed!) };
    case 'f1Score':
      return f1(spec);
    case 'outputLoss':
      return {
        size: () => 2,
        update(sums, { loss, count }) {
          sums[0]! += loss! * count;
          sums[1]! += count;
        },
        result: ([total, count]) => ratio(total!, count!),
      };
    case 'auc':
      return {
        size: () => 2 * spec.thresholds!,
        update: (sums, answers) => aucUpdate(spec, sums, answers),
        result: (sums) => areaUnderCurve(spec, sums),
      };
  }
}

/** A mean over examples of a figure of each; weights make it a weighted mean. */
const meanOf = (figure: (answers: Answers, row: number) => number): Rules => ({
  size: () => 2,
  update(sums, answers) {
    for (let row = 0; row < answers.count; row += 1) {
      const weight = answers.weights?.[row] ?? 1;
      sums[0]! += weight * figure(answers, row);
      sums[1]! += weight;
    }
  },
  result: ([total, weight]) => ratio(total!, weight!),
});

const squaredError = (answers: Answers, row: number): number =>
  overColumns(answers, row, (target, output) => (target - output) ** 2);

/** Weights of true positives, false positives and false negatives over all outputs. */
const counts = (threshold: number): Omit<Rules, 'result'> => ({
  size: () => 3,
  update(sums, answers) {
    for (let row = 0; row < answers.count; row += 1) {
      const weight = answers.weights?.[row] ?? 1;
      overColumns(answers, row, (target, output) =>
        count(sums, 0, 1, target !== 0, output > threshold, weight),
      );
    }
  },
});

/** True positives, false positives, false negatives of each class. */
function f1({ threshold, average }: MetricSpec): Rules {
  return {
    size: (width) => 3 * width,
    update(sums, answers) {
      const { width } = answers;
      for (let row = 0; row < answers.count; row += 1) {
        const weight = answers.weights?.[row] ?? 1;
        const least = threshold ?? answers.outputs[row * width + argMaxAt(answers, row)]!;
        for (let column = 0; column < width; column += 1) {
          const output = answers.outputs[row * width + column]!;
          const isYes = threshold === undefined ? output >= least && Math.abs(output) > 1e-9 : output > least;
          count(sums, column, width, targetAt(answers, row, column) !== 0, isYes, weight);
        }
      }
    },
    result(sums) {
      const width = sums.length / 3;
      const classes = Array.from({ length: width }, (_, at) => [
        sums[at]!,
        sums[width + at]!,
        sums[2 * width + at]!,
      ]);
      const total = (part: number) => classes.reduce((sum, one) => sum + one[part]!, 0);
      if (average === 'micro') return f1Of(total(0), total(1), total(2));
      const positives = total(0) + total(2) + epsilon;
      const share = ([hits, , missed]: number[]) =>
        average === 'weighted' ? (hits! + missed!) / positives : 1 / width;
      return classes.reduce((sum, one) => sum + share(one) * f1Of(one[0]!, one[1]!, one[2]!), 0);
    },
  };
}

/** Keras' backend epsilon. */
const epsilon = 1e-7;

function f1Of(hits: number, wrong: number, missed: number): number {
  const precision = hits / (hits + wrong + epsilon);
  const recall = hits / (hits + missed + epsilon);
  return (2 * precision * recall) / (precision + recall + epsilon);
}

/** Adds to true positives (at `start`), false positives (a `stride` further) or false negatives. */
function count(
  sums: number[],
  start: number,
  stride: number,
  is: boolean,
  says: boolean,
  weight: number,
): number {
  if (is || says) sums[start + (is ? (says ? 0 : 2) : 1) * stride]! += weight;
  return 0;
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

function overColumns(
  answers: Answers,
  row: number,
  figure: (target: number, output: number) => number,
): number {
  const { width, outputs } = answers;
  let total = 0;
  for (let column = 0; column < width; column += 1) {
    total += figure(targetAt(answers, row, column), outputs[row * width + column]!);
  }
  return total / width;
}

function argMaxAt({ outputs, width }: Answers, row: number): number {
  return argMax(outputs, row * width, width);
}

/** The first of the largest. */
function argMax(values: Int32Array | Float32Array, start: number, width: number): number {
  let best = 0;
  for (let column = 1; column < width; column += 1) {
    if (values[start + column]! > values[start + best]!) best = column;
  }
  return best;
}

function classAt({ targets, width, count }: Answers, row: number): number {
  if (targets.length === count && targets instanceof Int32Array) return targets[row]!;
  return argMax(targets, row * width, width);
}

/** 1 where no output is larger than that of the right class. */
function rankAt(answers: Answers, row: number): number {
  const { outputs, width } = answers;
  const right = outputs[row * width + classAt(answers, row)]!;
  let rank = 1;
  for (let column = 0; column < width; column += 1) {
    if (outputs[row * width + column]! > right) rank += 1;
  }
  return Number.isNaN(right) ? width + 1 : rank;
}
