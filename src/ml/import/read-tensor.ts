import { externalLocation, type TensorProto } from '../onnx/schema.ts';
import type { Dim } from '../shape.ts';

/** A constant of an imported graph. Integers may be multiples of the batch size, where they come from a shape. */
export interface Constant {
  isFloat: boolean;
  shape: number[];
  numbers: ArrayLike<Dim>;
}

/** ONNX's element types that are read, with what holds them in raw data. */
const readers: Record<
  number,
  { bytes: number; isFloat: boolean; read: (view: DataView, at: number) => number }
> = {
  1: { bytes: 4, isFloat: true, read: (view, at) => view.getFloat32(at, true) },
  2: { bytes: 1, isFloat: false, read: (view, at) => view.getUint8(at) },
  3: { bytes: 1, isFloat: false, read: (view, at) => view.getInt8(at) },
  6: { bytes: 4, isFloat: false, read: (view, at) => view.getInt32(at, true) },
  7: { bytes: 8, isFloat: false, read: (view, at) => Number(view.getBigInt64(at, true)) },
  9: { bytes: 1, isFloat: false, read: (view, at) => view.getUint8(at) },
  11: { bytes: 8, isFloat: true, read: (view, at) => view.getFloat64(at, true) },
};

/** Reads a tensor that stands in the file itself.
 * @throws Error where it is damaged, lies in another file, or holds numbers that are not finite. */
export function readTensor(proto: TensorProto, what: string): Constant {
  const { dims: shape = [], dataType = 0, rawData, floatData, int32Data, int64Data } = proto;
  if (proto.dataLocation === externalLocation || proto.externalData?.length) {
    const location = proto.externalData?.find(({ key }) => key === 'location')?.value ?? '';
    throw new Error(
      `${what} lies in another file (${JSON.stringify(location)}), which is not read: put the weights into the ONNX file`,
    );
  }
  const reader = readers[dataType];
  if (!reader) throw new Error(`${what} has element type ${dataType}, which is not supported`);
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new Error(`${what} has the impossible shape [${shape.join(', ')}]`);
  }
  const size = shape.reduce((product, dim) => product * dim, 1);
  const listed = floatData ?? int64Data ?? int32Data;
  const length = rawData ? rawData.length / reader.bytes : (listed?.length ?? 0);
  if (length !== size) {
    throw new Error(`${what} has ${length} numbers, its shape [${shape.join(', ')}] needs ${size}`);
  }
  const numbers = rawData
    ? readRaw(rawData, reader, size)
    : reader.isFloat
      ? Float32Array.from(listed ?? [])
      : (listed ?? []);
  const bad = reader.isFloat ? (numbers as Float32Array).findIndex((value) => !Number.isFinite(value)) : -1;
  // An exporter writes an open end of a range, as of Clip, as infinity.
  if (bad >= 0 && (size > 1 || Number.isNaN(numbers[bad]))) {
    throw new Error(`${what} holds ${numbers[bad]} at index ${bad}: its numbers must be finite`);
  }
  return { isFloat: reader.isFloat, shape, numbers };
}

function readRaw(raw: Uint8Array, { bytes, isFloat, read }: (typeof readers)[number], size: number) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const numbers = isFloat ? new Float32Array(size) : new Array<number>(size);
  for (let index = 0; index < size; index += 1) numbers[index] = read(view, index * bytes);
  return numbers;
}
