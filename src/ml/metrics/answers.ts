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
}

/** The target of one output: of class numbers, one for the class and zero for the others. */
export function targetAt({ targets, width, count }: Answers, row: number, column: number): number {
  if (targets.length === count && targets instanceof Int32Array) return targets[row] === column ? 1 : 0;
  return targets[row * width + column]!;
}
