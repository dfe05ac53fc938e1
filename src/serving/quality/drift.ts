import {
  addTo,
  type ChannelStatistics,
  channelsOf,
  type DataStatistics,
  type Histogram,
} from '../../ml/export/statistics.ts';
import type { Tensor } from '../datatype.ts';

/** Rows of one window; what is told comes from the last one and the one that fills. */
export const windowRows = 500;
/** With fewer rows nothing is told. */
export const rowsMin = 100;
/** By the usual reading of the index: below 0.1 nothing, above 0.25 the population is another. */
export const driftThreshold = 0.25;
/** Values looked at in one row of one channel. */
const valuesMax = 256;

/** How far what was asked lately is from the training set. */
export interface DriftReport {
  drifted: boolean;
  /** The highest population stability index of all that is watched. */
  score: number;
  threshold: number;
  /** Rows that the numbers are from; below `rowsMin` the score is 0. */
  rows: number;
  inputs: Record<string, ChannelDrift[]>;
  confidence?: { score: number; mean: number; trainingMean: number };
}

export interface ChannelDrift {
  score: number;
  mean: number;
  std: number;
  trainingMean: number;
  trainingStd: number;
}

interface Running {
  counts: number[];
  count: number;
  sum: number;
  squares: number;
}

interface Window {
  rows: number;
  channels: Map<string, Running[]>;
  confidence: Running;
}

/** Running statistics of inputs and confidences, against the training set's. */
export class Drift {
  readonly #training: DataStatistics;
  #previous: Window | undefined;
  #current: Window;

  constructor(training: DataStatistics) {
    this.#training = training;
    this.#current = this.#newWindow();
  }

  observe(inputs: Record<string, Tensor>, confidences: Float32Array | undefined): void {
    const rows = Object.values(inputs)[0]?.shape[0] ?? 0;
    for (const [name, reference] of Object.entries(this.#training.inputs)) {
      const input = inputs[name];
      if (input && !Array.isArray(input.data)) this.#observeInput(name, input, reference);
    }
    const { confidence } = this.#training;
    if (confidence)
      for (const value of confidences ?? []) add(this.#current.confidence, confidence.edges, value);
    this.#current.rows += rows;
    if (this.#current.rows < windowRows) return;
    this.#previous = this.#current;
    this.#current = this.#newWindow();
  }

  report(): DriftReport {
    const rows = (this.#previous?.rows ?? 0) + this.#current.rows;
    const isKnown = rows >= rowsMin;
    const inputs: DriftReport['inputs'] = {};
    for (const [name, references] of Object.entries(this.#training.inputs)) {
      inputs[name] = references.map((reference, channel) => {
        const seen = merge(
          this.#previous?.channels.get(name)?.[channel],
          this.#current.channels.get(name)![channel]!,
        );
        const { mean, std } = momentsOf(seen);
        const score = isKnown ? stabilityIndex(reference.histogram.counts, seen.counts) : 0;
        return { score, mean, std, trainingMean: reference.mean, trainingStd: reference.std };
      });
    }
    const scores = Object.values(inputs).flatMap((channels) => channels.map(({ score }) => score));
    const confidence = this.#reportConfidence(isKnown);
    const score = Math.max(0, ...scores, confidence?.score ?? 0);
    const drifted = score > driftThreshold;
    return { drifted, score, threshold: driftThreshold, rows, inputs, ...(confidence && { confidence }) };
  }

  #reportConfidence(isKnown: boolean): DriftReport['confidence'] {
    const { confidence } = this.#training;
    const seen = merge(this.#previous?.confidence, this.#current.confidence);
    if (!confidence || seen.count === 0) return undefined;
    const score = isKnown ? stabilityIndex(confidence.counts, seen.counts) : 0;
    return { score, mean: momentsOf(seen).mean, trainingMean: meanOf(confidence) };
  }

  #observeInput(name: string, { shape, data }: Tensor, references: ChannelStatistics[]): void {
    const channels = channelsOf(shape.slice(1));
    if (channels !== references.length) return;
    const rows = shape[0] ?? 0;
    const rowSize = data.length / rows;
    const perChannel = rowSize / channels;
    const stride = Math.max(1, Math.ceil(perChannel / valuesMax)) * channels;
    const running = this.#current.channels.get(name)!;
    for (let row = 0; row < rows; row++) {
      for (let channel = 0; channel < channels; channel++) {
        const { edges } = references[channel]!.histogram;
        const end = (row + 1) * rowSize;
        for (let i = row * rowSize + channel; i < end; i += stride)
          add(running[channel]!, edges, Number((data as Float32Array)[i]));
      }
    }
  }

  #newWindow(): Window {
    const channels = Object.entries(this.#training.inputs).map(
      ([name, references]) =>
        [name, references.map(({ histogram }) => newRunning(histogram.counts.length))] as const,
    );
    const bins = this.#training.confidence?.counts.length ?? 0;
    return { rows: 0, channels: new Map(channels), confidence: newRunning(bins) };
  }
}

function newRunning(bins: number): Running {
  return { counts: Array(bins).fill(0), count: 0, sum: 0, squares: 0 };
}

/** NaN and infinities are counted at the ends, and left out of the mean. */
function add(running: Running, edges: number[], value: number): void {
  addTo({ edges, counts: running.counts }, value);
  if (!Number.isFinite(value)) return;
  running.count += 1;
  running.sum += value;
  running.squares += value * value;
}

function merge(left: Running | undefined, right: Running): Running {
  if (!left) return right;
  return {
    counts: left.counts.map((count, bin) => count + right.counts[bin]!),
    count: left.count + right.count,
    sum: left.sum + right.sum,
    squares: left.squares + right.squares,
  };
}

function momentsOf({ count, sum, squares }: Running): { mean: number; std: number } {
  if (count === 0) return { mean: 0, std: 0 };
  const mean = sum / count;
  return { mean, std: Math.sqrt(Math.max(0, squares / count - mean * mean)) };
}

function meanOf({ edges, counts }: Histogram): number {
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  return counts.reduce((sum, count, bin) => sum + (count * (edges[bin]! + edges[bin + 1]!)) / 2, 0) / total;
}

/** The population stability index, sum of (q - p) ln(q / p) over the bins; half a count is added to each, so that none is empty. */
export function stabilityIndex(expected: number[], seen: number[]): number {
  const shares = (counts: number[]) => {
    const total = counts.reduce((sum, count) => sum + count, 0) + counts.length / 2;
    return counts.map((count) => (count + 0.5) / total);
  };
  const [before, now] = [shares(expected), shares(seen)];
  return now.reduce((sum, share, bin) => sum + (share - before[bin]!) * Math.log(share / before[bin]!), 0);
}

/** Reads `statistics` of a config.json. Throws Error. */
export function checkStatistics(value: unknown): DataStatistics | undefined {
  if (value === undefined) return undefined;
  const fail = (place: string): never => {
    throw new Error(`statistics${place}`);
  };
  const isHistogram = (histogram: Histogram | undefined) =>
    Array.isArray(histogram?.edges) &&
    Array.isArray(histogram.counts) &&
    histogram.counts.length >= 1 &&
    histogram.counts.length <= 100 &&
    histogram.edges.length === histogram.counts.length + 1 &&
    [...histogram.edges, ...histogram.counts].every(Number.isFinite) &&
    histogram.edges.at(-1)! > histogram.edges[0]!;
  const { inputs, confidence } = value as Partial<DataStatistics>;
  if (typeof inputs !== 'object' || inputs === null) return fail('.inputs: must be an object');
  for (const [name, channels] of Object.entries(inputs)) {
    const isFine =
      Array.isArray(channels) &&
      channels.every((each) => Number.isFinite(each?.mean) && isHistogram(each.histogram));
    if (!isFine) fail(`.inputs.${name}: must be a list of { mean, std, histogram: { edges, counts } }`);
  }
  if (confidence !== undefined && !isHistogram(confidence))
    fail('.confidence: must be { edges, counts }, one edge more than counts');
  return { inputs, ...(confidence && { confidence }) };
}
