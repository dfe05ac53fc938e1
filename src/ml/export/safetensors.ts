/** The safetensors format: an 8-byte header length, a JSON header, then the tensors' little-endian bytes
 * (https://huggingface.co/docs/safetensors). The same tensors always give the same bytes. */
export interface NamedTensor {
  name: string;
  shape: number[];
  data: Float32Array;
}

/** Whole numbers of one byte. */
export interface ByteTensor extends Omit<NamedTensor, 'data'> {
  data: Int8Array;
}

/** Where a tensor's bytes lie in the file. */
export interface TensorLocation {
  shape: number[];
  dtype: string;
  offset: number;
  length: number;
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** A header larger than this is damage or an attack. */
const headerBytesMax = 16 * 1024 * 1024;

/** `metadata` are strings of the writer's own, which readers of tensors pass over. */
export function encodeSafetensors(
  tensors: readonly (NamedTensor | ByteTensor)[],
  metadata?: Record<string, string>,
): Uint8Array {
  const typed = tensors.map(({ name, shape, data }) => {
    return { name, shape, dtype: data instanceof Int8Array ? ('I8' as const) : ('F32' as const) };
  });
  const { header, locations } = layoutSafetensors(typed, metadata);
  const last = [...locations.values()].at(-1);
  const bytes = new Uint8Array(last ? last.offset + last.length : header.length);
  bytes.set(header);
  for (const { name, data } of tensors) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), locations.get(name)!.offset);
  }
  return bytes;
}

/** The header of such a file and each tensor's place in it, which depend on names and shapes alone. */
export function layoutSafetensors(
  tensors: readonly (Pick<NamedTensor, 'name' | 'shape'> & { dtype?: 'F32' | 'I8' })[],
  metadata?: Record<string, string>,
): {
  header: Uint8Array;
  locations: Map<string, TensorLocation>;
} {
  const entries: Record<string, HeaderEntry> = {};
  let end = 0;
  for (const { name, shape, dtype = 'F32' } of tensors) {
    const start = end;
    end += shape.reduce((product, dim) => product * dim, dtype === 'F32' ? 4 : 1);
    entries[name] = { dtype, shape, data_offsets: [start, end] };
  }
  const document = metadata ? { __metadata__: metadata, ...entries } : entries;
  const json = new TextEncoder().encode(JSON.stringify(document));
  // Padded with spaces so that the data, which follow, are aligned.
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  header.set(json, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  return { header, locations: locate(entries, header.length) };
}

/** Reads where the tensors lie in a safetensors file.
 * @throws Error where the file is cut short or is no such file. */
export function decodeSafetensors(bytes: Uint8Array): Map<string, TensorLocation> {
  const { entries, dataStart } = readHeader(bytes);
  const locations = locate(entries, dataStart);
  for (const [name, { offset, length }] of locations) {
    if (!(length >= 0 && offset + length <= bytes.length))
      throw notSafetensors(bytes, `tensor "${name}" lies outside, the file is cut short`);
  }
  expectApart(bytes, locations);
  return locations;
}

/** The format lets no two tensors share bytes. */
function expectApart(bytes: Uint8Array, locations: Map<string, TensorLocation>): void {
  const filled = [...locations].filter(([, { length }]) => length > 0);
  filled.sort(([, left], [, right]) => left.offset - right.offset);
  for (const [i, [name, { offset, length }]] of filled.entries()) {
    const next = filled[i + 1];
    if (next && next[1].offset < offset + length)
      throw notSafetensors(bytes, `tensors "${name}" and "${next[0]}" overlap`);
  }
}

/** The strings that the writer of a safetensors file added.
 * @throws Error as `decodeSafetensors`. */
export function readMetadata(bytes: Uint8Array): Record<string, string> {
  // The format gives this entry another type than the others.
  return (readHeader(bytes).entries.__metadata__ ?? {}) as unknown as Record<string, string>;
}

const notSafetensors = (bytes: Uint8Array, what: string): Error =>
  new Error(`These ${bytes.length} bytes are not a safetensors file: ${what}`);

function readHeader(bytes: Uint8Array): { entries: Record<string, HeaderEntry>; dataStart: number } {
  const fail = (what: string) => notSafetensors(bytes, what);
  if (bytes.length < 8) throw fail('shorter than the 8 bytes of the header length');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > headerBytesMax) throw fail(`a header of ${length} bytes, more than ${headerBytesMax}`);
  if (8 + length > bytes.length) throw fail(`the header of ${length} bytes is cut short`);
  let entries: Record<string, HeaderEntry>;
  try {
    entries = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  } catch (cause) {
    throw fail(`the header is not JSON (${(cause as Error).message})`);
  }
  for (const name of isRecord(entries) ? Object.keys(entries) : ['header']) {
    if (name !== '__metadata__' && !isEntry((entries as Record<string, unknown> | null)?.[name]))
      throw fail(`"${shown(name)}" is not described by dtype, shape and data_offsets`);
  }
  return { entries, dataStart: 8 + length };
}

function isEntry(value: unknown): value is HeaderEntry {
  if (!isRecord(value)) return false;
  const { dtype, shape, data_offsets: offsets } = value;
  const isCounts = (list: unknown) =>
    Array.isArray(list) && list.every((count) => Number.isSafeInteger(count) && count >= 0);
  return (
    typeof dtype === 'string' && isCounts(shape) && isCounts(offsets) && (offsets as unknown[]).length === 2
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const shown = (name: string): string => (name.length > 100 ? `${name.slice(0, 100)}…` : name);

/** The place of one parameter's values.
 * @throws Error where the file has none of this name and shape. */
export function findWeights(
  locations: Map<string, TensorLocation>,
  name: string,
  shape: readonly number[],
): TensorLocation {
  const found = locations.get(name);
  if (!found) {
    const names = [...locations.keys()].slice(0, 20).map(shown).join(', ');
    throw new Error(
      `The model needs weights "${name}", the weights file has ${names}: are they of one model?`,
    );
  }
  if (found.dtype !== 'F32' || found.shape.join() !== shape.join()) {
    throw new Error(
      `The model needs "${name}" as F32 [${shape.join(', ')}], the weights file has it as ` +
        `${found.dtype} [${found.shape.join(', ')}]: are they of one model?`,
    );
  }
  const size = shape.reduce((product, dim) => product * dim, 4);
  if (found.length !== size)
    throw new Error(`The weights file has ${found.length} bytes for "${name}", expected ${size}`);
  return found;
}

function locate(entries: Record<string, HeaderEntry>, dataStart: number): Map<string, TensorLocation> {
  const tensors = Object.entries(entries).filter(([name]) => name !== '__metadata__');
  return new Map(
    tensors.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [start, end],
        },
      ]) => {
        return [name, { dtype, shape, offset: dataStart + start, length: end - start }];
      },
    ),
  );
}

/** Flat weights as a file of named tensors. */
export function encodeWeights(
  parameters: readonly { name: string; shape: number[]; offset: number; size: number }[],
  weights: Float32Array,
): Uint8Array {
  return encodeSafetensors(
    parameters.map(({ name, shape, offset, size }) => ({
      name,
      shape,
      data: weights.subarray(offset, offset + size),
    })),
  );
}
