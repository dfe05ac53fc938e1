import {
  type ByteTensor,
  decodeSafetensors,
  encodeSafetensors,
  findWeights,
  type NamedTensor,
} from '../../ml/export/safetensors.ts';

/** How a model's flat weights are made of tensors. */
export interface Parameter {
  name: string;
  shape: number[];
  offset: number;
  size: number;
}

export type UpdateEncoding = 'float32' | 'int8';

const scaleSuffix = ':scale';

/** A change of weights as a safetensors file, one tensor a parameter: as float32, or as 8-bit numbers and beside each
 * tensor the size of their unit, its largest element by 127, so that no element is off by more than half a unit. */
export function encodeUpdate(
  delta: Float32Array,
  parameters: readonly Parameter[],
  encoding: UpdateEncoding = 'float32',
): Uint8Array {
  const parts = parameters.map(({ name, shape, offset, size }) => {
    return { name, shape, data: delta.subarray(offset, offset + size) };
  });
  if (encoding === 'float32') return encodeSafetensors(parts);
  const scales = parts.map(({ data }) => unitOf(data));
  // The scales first, for their bytes are to be aligned.
  return encodeSafetensors([
    ...parts.map(({ name }, index): NamedTensor => {
      return { name: `${name}${scaleSuffix}`, shape: [1], data: Float32Array.of(scales[index]!) };
    }),
    ...parts.map(({ name, shape, data }, index): ByteTensor => {
      const unit = scales[index]!;
      return {
        name,
        shape,
        data: Int8Array.from(data, (value) => (unit === 0 ? 0 : Math.round(value / unit))),
      };
    }),
  ]);
}

/** The change of flat weights in such a file, of either encoding.
 * @throws Error where the file is none, is of another model, or has numbers that are not finite. */
export function decodeUpdate(bytes: Uint8Array, parameters: readonly Parameter[]): Float32Array {
  const locations = decodeSafetensors(bytes);
  const end = parameters.reduce((most, { offset, size }) => Math.max(most, offset + size), 0);
  const delta = new Float32Array(end);
  for (const { name, shape, offset, size } of parameters) {
    const found = locations.get(name);
    if (found?.dtype === 'I8') {
      if (found.shape.join() !== shape.join() || found.length !== size) {
        throw new Error(`The model has "${name}" as [${shape.join(', ')}], got [${found.shape.join(', ')}]`);
      }
      const [unit] = floats(bytes, findWeights(locations, `${name}${scaleSuffix}`, [1]).offset, 1);
      const start = bytes.byteOffset + found.offset;
      delta.set(
        Float32Array.from(new Int8Array(bytes.buffer, start, size), (value) => value * unit!),
        offset,
      );
    } else delta.set(floats(bytes, findWeights(locations, name, shape).offset, size), offset);
    const values = delta.subarray(offset, offset + size);
    if (!values.every(Number.isFinite)) throw new Error(`"${name}" has numbers that are not finite`);
  }
  return delta;
}

const unitOf = (data: Float32Array): number =>
  data.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;

/** A copy, which is aligned; slice() of a Buffer is none. */
function floats(bytes: Uint8Array, offset: number, length: number): Float32Array {
  return new Float32Array(new Uint8Array(bytes.subarray(offset, offset + length * 4)).buffer);
}
