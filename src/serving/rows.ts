import { type Tensor, type TensorData, toBytes, zeros } from './datatype.ts';
import type { TensorMetadata } from './inference-protocol.ts';
import type { Session } from './session.ts';

type Tensors = Record<string, Tensor>;

/** The extent of the first axis that all tensors share; 0 if they don't. */
export function rowsOf(tensors: Tensors): number {
  const all = Object.values(tensors).map(({ shape }) => shape[0] ?? 0);
  return all.every((rows) => rows === all[0]) ? (all[0] ?? 0) : 0;
}

/** One set of tensors with the rows of all, in order. They have the same names, datatypes and shapes but for the rows. */
export function joinRows(parts: Tensors[]): Tensors {
  const joined: Tensors = {};
  for (const [name, { datatype, shape }] of Object.entries(parts[0]!)) {
    const tensors = parts.map((part) => part[name]!);
    const rows = tensors.reduce((sum, tensor) => sum + tensor.shape[0]!, 0);
    joined[name] = {
      datatype,
      shape: [rows, ...shape.slice(1)],
      data: joinData(tensors.map(({ data }) => data)),
    };
  }
  return joined;
}

function joinData(parts: TensorData[]): TensorData {
  const first = parts[0]!;
  if (Array.isArray(first)) return (parts as string[][]).flat();
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  // All parts are of one datatype, so of one array type; Float32Array stands for it.
  const joined = new (first.constructor as Float32ArrayConstructor)(length);
  let at = 0;
  for (const part of parts as Float32Array[]) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The opposite of `joinRows`: views of `tensors` with so many rows each. Throws RangeError if the rows don't add up. */
export function splitRows(tensors: Tensors, rows: number[]): Tensors[] {
  const total = rows.reduce((sum, count) => sum + count, 0);
  for (const [name, { shape }] of Object.entries(tensors)) {
    if (shape[0] !== total) throw new RangeError(`"${name}" has shape [${shape}], expected ${total} rows`);
  }
  let from = 0;
  return rows.map((count) => {
    const to = from + count;
    const part: Tensors = {};
    for (const [name, { datatype, shape, data }] of Object.entries(tensors)) {
      const size = data.length / total;
      part[name] = { datatype, shape: [count, ...shape.slice(1)], data: slice(data, from * size, to * size) };
    }
    from = to;
    return part;
  });
}

function slice(data: TensorData, from: number, to: number): TensorData {
  return Array.isArray(data) ? data.slice(from, to) : data.subarray(from, to);
}

/**
 * Whether a model gives each row the same bits in a batch of `rows` as alone: tried, since a free first axis may be
 * anything, and even where it is a batch a model may look across it. Also warms the model up.
 */
export async function isRowwise(session: Session, rows: number): Promise<boolean> {
  if (![...session.inputs, ...session.outputs].every(({ shape }) => shape[0] === -1)) return false;
  try {
    const [zero, one] = [0, 1].map((value) =>
      Object.fromEntries(session.inputs.map((input) => [input.name, sampleRow(input, value)])),
    ) as [Tensors, Tensors];
    const alone = [await session.run(zero), await session.run(one)];
    const mixed = Array.from({ length: rows }, (_, i) => (i % 2 === 0 ? zero : one));
    const together = splitRows(
      await session.run(joinRows(mixed)),
      mixed.map(() => 1),
    );
    return together.every((outputs, i) => isSame(outputs, alone[i % 2]!));
  } catch {
    // It does not take such inputs: nothing is known of it.
    return false;
  }
}

/** One row of zeros, or of values that differ from place to place; other free extents are 1. */
export function sampleRow({ datatype, shape }: TensorMetadata, value: number): Tensor {
  const concrete = [1, ...shape.slice(1).map((extent) => (extent === -1 ? 1 : extent))];
  const data = zeros(
    datatype,
    concrete.reduce((product, extent) => product * extent, 1),
  );
  if (value !== 0) {
    for (let i = 0; i < data.length; i++) {
      if (datatype.startsWith('FP')) (data as Float32Array)[i] = ((i * 7) % 11) / 11;
      else if (datatype.endsWith('INT64')) (data as BigInt64Array)[i] = 1n;
      else if (datatype !== 'BYTES') (data as Uint8Array)[i] = datatype === 'UINT8' ? (i * 7) % 128 : 1;
    }
  }
  return { datatype, shape: concrete, data };
}

function isSame(left: Tensors, right: Tensors): boolean {
  return Object.entries(left).every(
    ([name, { shape, data }]) =>
      String(shape) === String(right[name]!.shape) &&
      Buffer.compare(toBytes(data), toBytes(right[name]!.data)) === 0,
  );
}
