import { type Answers, targetAt } from './answers.ts';
import type { MetricSpec } from './metric.ts';

/** Counts outputs into the stretches between evenly spread thresholds: positives, then negatives, as Keras does for
 * such thresholds. All outputs of an example count alike. */
export function aucUpdate({ thresholds, fromLogits }: MetricSpec, sums: number[], answers: Answers): void {
  const { width, outputs } = answers;
  const last = thresholds! - 1;
  for (let row = 0; row < answers.count; row += 1) {
    const weight = answers.weights?.[row] ?? 1;
    for (let column = 0; column < width; column += 1) {
      const output = outputs[row * width + column]!;
      const chance = fromLogits ? 1 / (1 + Math.exp(-output)) : Math.min(1, Math.max(0, output));
      const bucket = Math.max(0, Math.ceil(Math.fround(chance * last)) - 1);
      sums[targetAt(answers, row, column) !== 0 ? bucket : thresholds! + bucket]! += weight;
    }
  }
}

/** The area under the curve of the counted outputs. */
export function areaUnderCurve({ thresholds, curve }: MetricSpec, sums: number[]): number {
  const truePositives = above(sums.slice(0, thresholds));
  const falsePositives = above(sums.slice(thresholds));
  return curve === 'PR'
    ? underPrecisionRecall(truePositives, falsePositives)
    : underRoc(truePositives, falsePositives);
}

/** The counts above each threshold. */
function above(buckets: number[]): number[] {
  const sums = buckets.slice();
  for (let index = sums.length - 2; index >= 0; index -= 1) sums[index]! += sums[index + 1]!;
  return sums;
}

function underRoc(hits: number[], wrong: number[]): number {
  const share = (counts: number[], index: number) => (counts[0] === 0 ? 0 : counts[index]! / counts[0]!);
  let area = 0;
  for (let index = 0; index + 1 < hits.length; index += 1) {
    const width = share(wrong, index) - share(wrong, index + 1);
    area += (width * (share(hits, index) + share(hits, index + 1))) / 2;
  }
  return area;
}

/** Davis and Goadrich, "The Relationship Between Precision-Recall and ROC Curves" (2006), section 4, as Keras
 * integrates it. */
function underPrecisionRecall(hits: number[], wrong: number[]): number {
  const [positives] = hits;
  if (!positives) return 0;
  let area = 0;
  for (let index = 0; index + 1 < hits.length; index += 1) {
    const gained = hits[index]! - hits[index + 1]!;
    const said = hits[index]! + wrong[index]!;
    const saidNext = hits[index + 1]! + wrong[index + 1]!;
    const slope = said > saidNext ? gained / (said - saidNext) : 0;
    const intercept = hits[index + 1]! - slope * saidNext;
    const spread = said > 0 && saidNext > 0 ? Math.log(said / saidNext) : 0;
    area += (slope * (gained + intercept * spread)) / positives;
  }
  return area;
}
