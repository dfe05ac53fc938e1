import type { Tensor } from '../tensor.ts';

/** How often values fell between `edges`; below the first and above the last count with the outermost. */
export interface Histogram {
  edges: number[];
  counts: number[];
}

export interface ChannelStatistics {
  mean: number;
  std: number;
  histogram: Histogram;
}

/** What the training set looked like, so that a server can tell when what it is asked looks otherwise. */
export interface DataStatistics {
  /** By input name: of each channel (the last axis), or of all values together where it is long. */
  inputs: Record<string, ChannelStatistics[]>;
  /** Of the highest probability that the trained model gave each example; 10 bins from 0 to 1. */
  confidence?: Histogram;
}

const bins = 10;
/** A longer last axis is no axis of channels. */
export const channelsMax = 4;

/** The number of channels that statistics tell apart, for one example's shape. */
export function channelsOf(shape: readonly number[]): number {
  const last = shape.at(-1) ?? 1;
  return shape.length > 1 && last <= channelsMax ? last : 1;
}

/** Statistics of examples [count, …] and, if given, of the trained model's probabilities [count, classes]. */
export function dataStatistics(
  examples: Tensor,
  options: { name?: string; probabilities?: Tensor } = {},
): DataStatistics {
  const { name = 'input', probabilities } = options;
  const count = channelsOf(examples.shape.slice(1));
  const channels = Array.from({ length: count }, (_, channel) =>
    channelStatistics(examples.data, channel, count),
  );
  return {
    inputs: { [name]: channels },
    ...(probabilities && { confidence: confidenceHistogram(probabilities) }),
  };
}

function channelStatistics(data: Tensor['data'], first: number, step: number): ChannelStatistics {
  let [sum, squares, count] = [0, 0, 0];
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = first; i < data.length; i += step) {
    const value = Number(data[i]);
    sum += value;
    squares += value * value;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
    count += 1;
  }
  const mean = sum / count;
  const std = Math.sqrt(Math.max(0, squares / count - mean * mean));
  const span = highest - lowest || 1;
  const histogram = emptyHistogram(lowest, lowest + span);
  for (let i = first; i < data.length; i += step) addTo(histogram, Number(data[i]));
  return { mean, std, histogram };
}

function confidenceHistogram({ data, shape }: Tensor): Histogram {
  const classes = shape.at(-1)!;
  const histogram = emptyHistogram(0, 1);
  for (let from = 0; from < data.length; from += classes) {
    let highest = 0;
    for (let i = from; i < from + classes; i++) highest = Math.max(highest, Number(data[i]));
    addTo(histogram, highest);
  }
  return histogram;
}

function emptyHistogram(lowest: number, highest: number): Histogram {
  const edges = Array.from({ length: bins + 1 }, (_, i) => lowest + ((highest - lowest) * i) / bins);
  return { edges, counts: Array(bins).fill(0) };
}

/** Counts a value; the edges are evenly spaced. */
export function addTo({ edges, counts }: Histogram, value: number): void {
  const lowest = edges[0]!;
  const place = Math.floor(((value - lowest) / (edges.at(-1)! - lowest)) * counts.length);
  const bin = place >= 0 ? Math.min(place, counts.length - 1) : 0;
  counts[bin]! += 1;
}
