import { StatusError } from '../base/errors.ts';
import { flattenNested, shapeOfNested, shown } from './nested.ts';

/** Tensor data as it lies in memory: numbers, 64-bit integers, or strings (BYTES). */
export type TensorData =
  | Float16Array
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

export interface Tensor {
  datatype: Datatype;
  shape: number[];
  data: TensorData;
}

/**
 * The Open Inference Protocol's datatypes and ONNX Runtime's names of them.
 * Source: https://github.com/kserve/open-inference-protocol, "Tensor Data Types".
 */
const datatypes = {
  BOOL: { onnx: 'bool', array: Uint8Array },
  UINT8: { onnx: 'uint8', array: Uint8Array },
  UINT16: { onnx: 'uint16', array: Uint16Array },
  UINT32: { onnx: 'uint32', array: Uint32Array },
  UINT64: { onnx: 'uint64', array: BigUint64Array },
  INT8: { onnx: 'int8', array: Int8Array },
  INT16: { onnx: 'int16', array: Int16Array },
  INT32: { onnx: 'int32', array: Int32Array },
  INT64: { onnx: 'int64', array: BigInt64Array },
  FP16: { onnx: 'float16', array: Float16Array },
  FP32: { onnx: 'float32', array: Float32Array },
  FP64: { onnx: 'float64', array: Float64Array },
  BYTES: { onnx: 'string', array: undefined },
} as const;

export type Datatype = keyof typeof datatypes;
export type OnnxType = (typeof datatypes)[Datatype]['onnx'];

export function isDatatype(name: unknown): name is Datatype {
  return typeof name === 'string' && Object.hasOwn(datatypes, name);
}

export function onnxTypeOf(datatype: Datatype): OnnxType {
  return datatypes[datatype].onnx;
}

const datatypeByOnnx = new Map(
  Object.entries(datatypes).map(([datatype, { onnx }]) => [onnx as string, datatype as Datatype]),
);

export function datatypeOf(onnxType: string): Datatype {
  const found = datatypeByOnnx.get(onnxType);
  if (!found) throw new StatusError('BadRequest', `ONNX tensors of type ${onnxType} can't be served`);
  return found;
}

/** Reads a tensor's JSON `data`: flat or nested in row-major order. Throws BadRequest that names `where`. */
export function fromJson(datatype: Datatype, values: unknown, count: number, where: string): TensorData {
  if (!Array.isArray(values)) throw new StatusError('BadRequest', `${where}: data must be an array`);
  const flat = Array.isArray(values[0]) ? flattenNested(values, shapeOfNested(values, where), where) : values;
  if (flat.length !== count) {
    throw new StatusError(
      'BadRequest',
      `${where}: the shape holds ${count} elements, data has ${flat.length}`,
    );
  }
  const kind = datatypes[datatype];
  if (kind.array === undefined)
    return flat.map((value, i) => expect(value, typeof value === 'string', i, 'a string', where));
  if (kind.array === BigInt64Array || kind.array === BigUint64Array) {
    const [lowest, highest] = [
      BigInt(datatype === 'UINT64' ? 0 : Number.MIN_SAFE_INTEGER),
      Number.MAX_SAFE_INTEGER,
    ];
    const integers = flat.map((value, i) =>
      BigInt(
        expect(
          value,
          Number.isSafeInteger(value) && (value as number) >= lowest,
          i,
          `an integer from ${lowest} to ${highest} (larger ones: as binary data)`,
          where,
        ),
      ),
    );
    return new kind.array(integers);
  }
  if (datatype === 'BOOL') {
    return Uint8Array.from(flat, (value, i) =>
      Number(expect(value, typeof value === 'boolean', i, 'a boolean', where)),
    );
  }
  const array = new kind.array(count);
  if (!datatype.startsWith('FP')) {
    for (let i = 0; i < count; i++) {
      const value = flat[i];
      if (typeof value === 'number') array[i] = value;
      // What the array can't hold comes out of it changed.
      if (array[i] !== value) expect(flat[i], false, i, `an integer that ${datatype} holds`, where);
    }
    return array;
  }
  for (let i = 0; i < count; i++)
    array[i] = expect(flat[i], typeof flat[i] === 'number', i, 'a number', where);
  return array;
}

// biome-ignore lint/suspicious/noExplicitAny: the caller states the type that `holds` has just proven.
function expect(value: any, holds: boolean, index: number, expected: string, where: string): any {
  if (!holds)
    throw new StatusError('BadRequest', `${where}: data[${index}] must be ${expected}, got ${shown(value)}`);
  return value;
}

/** Reads a tensor's little-endian bytes; BYTES elements are each preceded by their length in 4 bytes. */
export function fromBytes(datatype: Datatype, bytes: Uint8Array, count: number, where: string): TensorData {
  const array = datatypes[datatype].array;
  if (array === undefined) return readStrings(bytes, count, where);
  const expected = count * array.BYTES_PER_ELEMENT;
  if (bytes.length !== expected) {
    throw new StatusError(
      'BadRequest',
      `${where}: the shape needs ${expected} bytes of ${datatype}, got ${bytes.length}`,
    );
  }
  if (datatype === 'BOOL' && bytes.some((byte) => byte > 1))
    throw new StatusError('BadRequest', `${where}: the bytes of BOOL must be 0 or 1`);
  // A view if it can be one: arrays of wider elements need an aligned start.
  const { buffer, byteOffset } =
    bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new array(buffer as ArrayBuffer, byteOffset, count);
}

function readStrings(bytes: Uint8Array, count: number, where: string): string[] {
  return readElements(bytes, count, where).map((element, i) => decodeText(element, `${where}: element ${i}`));
}

/** BF16 as FP32, which holds all its values: ONNX Runtime's JavaScript has no tensors of it. Throws BadRequest. */
export function widened(bytes: Uint8Array, count: number, where: string): Float32Array {
  if (bytes.length !== 2 * count)
    throw new StatusError(
      'BadRequest',
      `${where}: the shape needs ${2 * count} bytes of BF16, got ${bytes.length}`,
    );
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) bits[i] = (bytes[2 * i]! << 16) | (bytes[2 * i + 1]! << 24);
  return new Float32Array(bits.buffer);
}

/** The elements of BYTES, each behind its length in 4 bytes, as views. Throws BadRequest. */
export function readElements(bytes: Uint8Array, count: number, where: string): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && elements.length < count) {
    const length = view.getUint32(at, true);
    if (at + 4 + length > bytes.length) break;
    elements.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  if (elements.length !== count || at !== bytes.length) {
    throw new StatusError(
      'BadRequest',
      `${where}: expected ${count} length-prefixed strings that fill ${bytes.length} bytes`,
    );
  }
  return elements;
}

/** ONNX strings are UTF-8: what is not would reach the model changed. */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new StatusError('BadRequest', `${where} is not UTF-8`);
  }
}

export function toBytes(data: TensorData): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const parts = data.flatMap((text) => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

/** The JSON form of a tensor's data; 64-bit integers keep all their digits, NaN and infinities become null as in JSON. */
export function toJson(datatype: Datatype, data: TensorData): unknown[] {
  if (datatype === 'BOOL') return Array.from(data as Uint8Array, Boolean);
  return Array.from(data as Iterable<unknown>, (value) =>
    typeof value === 'bigint'
      ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value))
      : value,
  );
}

/** `count` zeros, or empty strings. */
export function zeros(datatype: Datatype, count: number): TensorData {
  const { array } = datatypes[datatype];
  return array === undefined ? Array<string>(count).fill('') : new array(count);
}
