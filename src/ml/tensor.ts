/** The element types in use, by ONNX's names in onnxruntime. */
export type DType = 'float32' | 'float64' | 'uint8' | 'int32' | 'int64' | 'bool';

export type TensorData = Float32Array | Float64Array | Uint8Array | Int32Array | BigInt64Array;

/** A dense array in row-major order; images are [count, height, width, channels]. */
export interface Tensor {
  dtype: DType;
  shape: number[];
  data: TensorData;
}

/** `TensorProto.DataType` */
export const onnxDType: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

export const bytesPerElement: Record<DType, number> = {
  float32: 4,
  float64: 8,
  uint8: 1,
  int32: 4,
  int64: 8,
  bool: 1,
};

/** Makes a tensor, and checks that the data fill the shape. */
export function tensor(data: TensorData, shape: number[]): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (size !== data.length) {
    throw new Error(`A tensor of shape [${shape.join(', ')}] needs ${size} elements, got ${data.length}`);
  }
  return { dtype: dtypeOf(data), shape, data };
}

export function dtypeOf(data: TensorData): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  const given = (data as object | undefined)?.constructor?.name ?? typeof data;
  throw new TypeError(`tensor(data, shape) takes a typed array, as Float32Array.of(1, 2), got ${given}`);
}

/** An array of zeros that holds `length` elements of `dtype`. */
export function allocate(dtype: DType, length: number): TensorData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(length);
    case 'float64':
      return new Float64Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'int64':
      return new BigInt64Array(length);
    default:
      return new Uint8Array(length);
  }
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export const toVector = (data: Float32Array): Tensor => ({ dtype: 'float32', shape: [data.length], data });

export const toScalar = (value: number): Tensor => ({
  dtype: 'float32',
  shape: [],
  data: Float32Array.of(value),
});
