/** How the range of an activation is found from what it was on the calibration set. */
export type CalibrationMethod = 'minMax' | 'percentile' | 'entropy';

export interface Range {
  low: number;
  high: number;
}

/** How often numbers fell into equal steps between the least and the greatest seen. */
export interface Histogram extends Range {
  counts: Float64Array;
}

/** Steps of a histogram; finer than the 256 of a byte, so that a range can be cut. */
export const histogramBins = 2048;

/** Steps of a byte. */
const levels = 255;

/** The range to quantise: all that was seen, all but the outermost share, or the one that loses least information. */
export function chooseRange(histogram: Histogram, method: CalibrationMethod, percentile: number): Range {
  if (method === 'minMax' || histogram.high <= histogram.low) return histogram;
  if (method === 'percentile') return betweenShares(histogram, (1 - percentile / 100) / 2);
  return leastDivergence(histogram);
}

function betweenShares(histogram: Histogram, share: number): Range {
  const { counts, low, high } = histogram;
  const outside = counts.reduce((sum, count) => sum + count, 0) * share;
  const width = (high - low) / counts.length;
  let [first, below] = [0, counts[0]!];
  while (below <= outside && first < counts.length - 1) below += counts[++first]!;
  let [last, above] = [counts.length - 1, counts.at(-1)!];
  while (above <= outside && last > first) above += counts[--last]!;
  return { low: low + first * width, high: low + (last + 1) * width };
}

/** The clipping whose quantised distribution is nearest to the true one, by Kullback and Leibler's divergence
 * (Migacz, "8-bit inference with TensorRT", 2017). */
function leastDivergence(histogram: Histogram): Range {
  const { counts, low, high } = histogram;
  const width = (high - low) / counts.length;
  const largest = Math.max(Math.abs(low), Math.abs(high));
  let best: Range & { divergence: number } = { low, high, divergence: Infinity };
  const tries = 64;
  for (let attempt = tries / 8; attempt <= tries; attempt += 1) {
    const bound = (largest * attempt) / tries;
    const from = Math.max(0, Math.floor((-bound - low) / width));
    const to = Math.min(counts.length, Math.ceil((bound - low) / width));
    if (to - from < levels) continue;
    const divergence = divergenceOf(counts, from, to);
    if (divergence < best.divergence) best = { low: low + from * width, high: low + to * width, divergence };
  }
  return best;
}

function divergenceOf(counts: Float64Array, from: number, to: number): number {
  const inside = counts.slice(from, to);
  const reference = inside.slice();
  reference[0]! += counts.subarray(0, from).reduce((sum, count) => sum + count, 0);
  reference[reference.length - 1]! += counts.subarray(to).reduce((sum, count) => sum + count, 0);
  const total = reference.reduce((sum, count) => sum + count, 0);
  const kept = inside.reduce((sum, count) => sum + count, 0);
  let divergence = 0;
  for (let level = 0; level < levels; level += 1) {
    const start = Math.floor((level * inside.length) / levels);
    const end = Math.floor(((level + 1) * inside.length) / levels);
    const group = inside.subarray(start, end);
    const filled = group.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
    const each = filled > 0 ? group.reduce((sum, count) => sum + count, 0) / filled / kept : 0;
    for (let bin = start; bin < end; bin += 1) {
      const p = reference[bin]! / total;
      // Where the quantised distribution has nothing, a small share stands for it.
      if (p > 0) divergence += p * Math.log(p / (inside[bin]! > 0 ? each : 1e-7));
    }
  }
  return divergence;
}

/** Scale and zero point of unsigned bytes over a range, which is widened to hold 0: padding must be exact. */
export function byteSteps({ low, high }: Range): { scale: number; zeroPoint: number } {
  const [least, most] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = most > least ? (most - least) / levels : 1;
  return { scale, zeroPoint: Math.max(0, Math.min(255, Math.round(-least / scale))) };
}
