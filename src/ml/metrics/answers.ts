/** What a model gave for a batch, and what it should have. */
export interface Answers {
  count: number;
  /** Outputs an example. */
  width: number;
  /** [count, width] */
  outputs: Float32Array;
  /** Class numbers [count], or values [count, width]. */
  targets: Int32Array | Float32Array;
  /** [count] */
  weights?: Float32Array | undefined;
  /** The mean loss of one output of several. */
  loss?: number | undefined;
}

/** Where one output of several stands in the rows that a program gives and takes. */
export interface OutputPart {
  /** Its number among those that have a loss. */
  index: number;
  output: { start: number; width: number };
  target: { start: number; width: number };
  isClasses: boolean;
}

/** What all outputs of a batch gave, a row an example. */
export interface AllAnswers {
  count: number;
  outputs: Float32Array;
  targets: Int32Array | Float32Array;
  /** [count], or a number for each output [count, outputs]. */
  weights?: Float32Array | undefined;
  losses?: Float32Array | undefined;
}

/** The answers of one output. */
export function answersOf(all: AllAnswers, part: OutputPart | undefined): Answers {
  const { count, outputs, targets, weights, losses } = all;
  if (!part) return { count, width: outputs.length / count, outputs, targets, weights };
  const own = columns(targets, count, part.target);
  return {
    count,
    width: part.output.width,
    outputs: columns(outputs, count, part.output) as Float32Array,
    targets: part.isClasses ? Int32Array.from(own) : own,
    weights: weights && (columns(weights, count, { start: part.index, width: 1 }) as Float32Array),
    loss: losses?.[part.index],
  };
}

function columns<A extends Int32Array | Float32Array>(
  rows: A,
  count: number,
  { start, width }: { start: number; width: number },
): Int32Array | Float32Array {
  const rowWidth = rows.length / count;
  if (rowWidth === width) return rows;
  const picked = rows instanceof Int32Array ? new Int32Array(count * width) : new Float32Array(count * width);
  for (let row = 0; row < count; row += 1) {
    const from = row * rowWidth + start;
    picked.set(rows.subarray(from, from + width), row * width);
  }
  return picked;
}

/** The target of one output: of class numbers, one for the class and zero for the others. */
export function targetAt({ targets, width, count }: Answers, row: number, column: number): number {
  if (targets.length === count && targets instanceof Int32Array) return targets[row] === column ? 1 : 0;
  return targets[row * width + column]!;
}
