import { StatusError } from '../../base/errors.ts';
import type { PreprocessStep } from '../../ml/export/steps.ts';
import type { Tensor } from '../datatype.ts';
import { type TensorMetadata, tensorElementsMax } from '../inference-protocol.ts';
import { decodePicture, type Picture } from './decode.ts';
import { resize } from './resize.ts';

/** Encoded images as the model's input, one row each. Throws BadRequest if they don't fit. */
export async function preprocess(
  images: Uint8Array[],
  steps: PreprocessStep[],
  input: TensorMetadata,
): Promise<Tensor> {
  const isChannelsFirst = steps.some(({ op }) => op === 'transpose');
  const extents = input.shape.slice(1);
  const channels = (isChannelsFirst ? extents[0] : extents.at(-1)) === 1 ? 1 : 3;
  const rows: (Uint8Array | Float32Array)[] = [];
  let shape: number[] = [];
  let elements = 0;
  for (const [i, image] of images.entries()) {
    const row = await prepare(image, steps, channels);
    if (i > 0 && String(row.shape) !== String(shape))
      throw bad(
        `image ${i} has shape [${row.shape}], image 0 [${shape}]: a resize step would make them alike`,
      );
    shape = row.shape;
    elements += row.data.length;
    if (elements > tensorElementsMax) throw bad(`the images become more than ${tensorElementsMax} values`);
    rows.push(row.data);
  }
  const full = [images.length, ...shape];
  if (full.length !== input.shape.length || full.some((extent, i) => ![-1, extent].includes(input.shape[i]!)))
    throw bad(`the image becomes [${full}], the model's "${input.name}" takes [${input.shape}]`);
  return { datatype: input.datatype, shape: full, data: join(rows, input) };
}

async function prepare(image: Uint8Array, steps: PreprocessStep[], channels: number) {
  let picture: Picture | undefined;
  let isFirst = false;
  for (const step of steps) {
    if (step.op === 'decode') picture = decodePicture(image, channels);
    else if (step.op === 'transpose') isFirst = true;
    else if (picture) picture = apply(step, picture);
  }
  if (!picture) throw bad('the model has no decode step, so that it takes tensors only');
  const { height, width, data } = picture;
  return isFirst
    ? { shape: [channels, height, width], data: channelsFirst(picture) }
    : { shape: [height, width, channels], data };
}

function apply(step: Exclude<PreprocessStep, { op: 'decode' | 'transpose' }>, picture: Picture): Picture {
  if (step.op === 'resize') return resize(picture, { ...step, antialias: step.antialias ?? false });
  const data = Float32Array.from(picture.data);
  if (step.op === 'scale') {
    const { by, offset = 0 } = step;
    return { ...picture, data: data.map((value) => value * by + offset) };
  }
  const { mean, std } = step;
  const { channels } = picture;
  if (mean.length !== channels && mean.length !== 1)
    throw bad(`normalize has ${mean.length} means, the image ${channels} channels`);
  const at = (list: number[], i: number) => list[list.length === 1 ? 0 : i % channels]!;
  return { ...picture, data: data.map((value, i) => (value - at(mean, i)) / at(std, i)) };
}

function channelsFirst({ data, channels }: Picture): Float32Array {
  const pixels = data.length / channels;
  const planes = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) planes[(i % channels) * pixels + Math.floor(i / channels)] = data[i]!;
  return planes;
}

function join(rows: (Uint8Array | Float32Array)[], { datatype, name }: TensorMetadata): Tensor['data'] {
  const size = rows[0]!.length;
  const arrays = { UINT8: Uint8ClampedArray, FP32: Float32Array, FP16: Float16Array, FP64: Float64Array };
  if (!Object.hasOwn(arrays, datatype)) throw bad(`images can't become the ${datatype} of "${name}"`);
  // The clamped array rounds, and keeps within 0 to 255; it is looked at as plain bytes afterwards.
  const joined = new arrays[datatype as 'UINT8'](rows.length * size);
  for (const [i, row] of rows.entries()) joined.set(row, i * size);
  return datatype === 'UINT8' ? new Uint8Array(joined.buffer) : (joined as unknown as Float32Array);
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}
