/** The Euclidean length. */
export function l2Norm(vector: Float32Array): number {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.sqrt(squares);
}

/** The vector, shortened to this length if it is longer. */
export function clipToNorm(vector: Float32Array, norm: number): Float32Array {
  const length = l2Norm(vector);
  return length <= norm ? vector : vector.map((value) => (value * norm) / length);
}

export function addScaled(sum: Float64Array, vector: Float32Array, factor: number): void {
  for (let index = 0; index < sum.length; index += 1) sum[index]! += vector[index]! * factor;
}
