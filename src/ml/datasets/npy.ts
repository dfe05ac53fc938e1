/** NumPy's array format (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). */
import { bytesOf, bytesPerElement, type DType, type Tensor, type TensorData } from '../tensor.ts';

/** A header larger than this is damage. */
const headerBytesMax = 2 ** 20;
const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

const dtypes: Record<string, DType> = {
  '<f4': 'float32',
  '<f8': 'float64',
  '<i4': 'int32',
  '<i8': 'int64',
  '|u1': 'uint8',
  '|b1': 'bool',
};

/** What stands before the numbers. */
export interface NpyHeader {
  dtype: DType;
  shape: number[];
  /** Where the numbers begin. */
  dataStart: number;
}

/** Reads the header from the first bytes of a file; `name` is for messages.
 * @throws Error that says what is wrong or not supported. */
export function readNpyHeader(bytes: Uint8Array, name = 'The .npy file'): NpyHeader {
  const fail = (what: string) => new Error(`${name}: ${what}`);
  if (bytes.length < 12 || magic.some((byte, at) => bytes[at] !== byte))
    throw fail('not a .npy file: it does not begin with \\x93NUMPY');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes[6]! >= 2;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  if (length > headerBytesMax) throw fail(`a header of ${length} bytes, more than ${headerBytesMax}`);
  if (start + length > bytes.length) throw fail(`the header of ${length} bytes is cut short`);
  const text = new TextDecoder().decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const dims = /'shape':\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (descr === undefined || dims === undefined) throw fail(`the header cannot be read: ${text.trim()}`);
  const dtype = dtypes[descr];
  if (!dtype)
    throw fail(
      `its type is ${descr}, expected one of ${Object.keys(dtypes).join(', ')}: convert it with astype()`,
    );
  const shape = dims.split(',').flatMap((dim) => (dim.trim() === '' ? [] : [Number.parseInt(dim, 10)]));
  if (/'fortran_order':\s*True/.test(text) && shape.length > 1)
    throw fail('its columns come first (fortran_order): save numpy.ascontiguousarray of it');
  return { dtype, shape, dataStart: start + length };
}

/** Reads a whole array.
 * @throws Error where the bytes are no such file, cut short, or of a type that is not supported. */
export function decodeNpy(bytes: Uint8Array, name?: string): Tensor {
  const { dtype, shape, dataStart } = readNpyHeader(bytes, name);
  const length = shape.reduce((product, dim) => product * dim, 1) * bytesPerElement[dtype];
  if (dataStart + length > bytes.length) {
    throw new Error(
      `${name ?? 'The .npy file'}: [${shape.join(', ')}] needs ${length} bytes, there are ${bytes.length - dataStart}: it is cut short`,
    );
  }
  return {
    dtype,
    shape,
    data: numbers(dtype, new Uint8Array(bytes.subarray(dataStart, dataStart + length))),
  };
}

/** The bytes, which must be in a buffer of their own, as numbers. */
export function numbers(dtype: DType, { buffer }: Uint8Array): TensorData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer);
    case 'float64':
      return new Float64Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'int64':
      return new BigInt64Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}

/** The array as numpy.save writes it. */
export function encodeNpy({ dtype, shape, data }: Tensor): Uint8Array {
  const descr = Object.entries(dtypes).find(([, type]) => type === dtype)![0];
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
  // The numbers begin at a multiple of 64.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const values = bytesOf(data);
  const bytes = new Uint8Array(10 + length + values.length).fill(0x20);
  bytes.set([...magic, 1, 0, length & 0xff, length >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[10 + length - 1] = 0x0a;
  bytes.set(values, 10 + length);
  return bytes;
}
