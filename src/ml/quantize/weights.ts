/** 8-bit weights: value = scale * byte, a scale for each output (Jacob et al., 2018). */
export interface ByteWeights {
  bytes: Int8Array;
  /** One number, or one for each output. */
  scales: Float32Array;
}

/** @param dims of the weights; `axis` is that of the outputs. */
export function quantizeWeights(
  data: Float32Array,
  dims: number[],
  axis: number,
  perChannel: boolean,
): ByteWeights {
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const outputs = perChannel ? dims[axis]! : 1;
  const outputOf = (index: number) => (perChannel ? Math.floor(index / inner) % dims[axis]! : 0);
  const largest = new Float32Array(outputs);
  data.forEach((value, index) => {
    const output = outputOf(index);
    largest[output] = Math.max(largest[output]!, Math.abs(value));
  });
  // Weights that are all zero stay zero by any scale.
  const scales = largest.map((value) => (value > 0 ? value / 127 : 1));
  const bytes = Int8Array.from(data, (value, index) =>
    Math.max(-127, Math.min(127, Math.round(value / scales[outputOf(index)]!))),
  );
  return { bytes, scales };
}
