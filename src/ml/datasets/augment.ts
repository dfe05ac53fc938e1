/** Random changes of images [height, width, channels], for `map()`: `images.map(randomFlip())`. The numbers come from
 * the data set's seed. Names and ranges follow Keras' preprocessing layers
 * (https://keras.io/api/layers/preprocessing_layers/image_augmentation/). */

import { allocate, type Tensor, tensor } from '../tensor.ts';
import type { Batch } from '../training/engine.ts';
import type { MapContext } from './dataset.ts';
import type { Example } from './example.ts';

export type Augmentation = (example: Example, context: Pick<MapContext, 'random'>) => Example;

type Pixels = (row: number, column: number, channel: number) => number;

/** Mirrors half of the images. */
export function randomFlip(
  mode: 'horizontal' | 'vertical' | 'horizontal_and_vertical' = 'horizontal',
): Augmentation {
  return (example, { random }) => {
    const isAcross = mode !== 'vertical' && random() < 0.5;
    const isDown = mode !== 'horizontal' && random() < 0.5;
    const [height, width] = example.x.shape as [number, number, number];
    return draw(
      example,
      height,
      width,
      (at) => (row, column, channel) =>
        at(isDown ? height - 1 - row : row, isAcross ? width - 1 - column : column, channel),
    );
  };
}

/** Cuts a part of the given size out of the image, to which `padding` black pixels are added on each side first.
 * @throws RangeError where the image is smaller. */
export function randomCrop(
  height: number,
  width: number,
  { padding = 0 }: { padding?: number } = {},
): Augmentation {
  return (example, { random }) => {
    const [rows, columns] = example.x.shape as [number, number, number];
    const [spareRows, spareColumns] = [rows + 2 * padding - height, columns + 2 * padding - width];
    if (spareRows < 0 || spareColumns < 0) {
      throw new RangeError(
        `randomCrop(${height}, ${width}) got ${example.source ?? 'an image'} of ${rows} x ${columns} with ` +
          `${padding} pixels of padding: it must not be smaller`,
      );
    }
    const top = Math.floor(random() * (spareRows + 1)) - padding;
    const left = Math.floor(random() * (spareColumns + 1)) - padding;
    const isInside = (row: number, column: number) =>
      row >= 0 && row < rows && column >= 0 && column < columns;
    return draw(
      example,
      height,
      width,
      (at) => (row, column, channel) =>
        isInside(row + top, column + left) ? at(row + top, column + left, channel) : 0,
    );
  };
}

/** Turns by an angle of up to `factor` of a full turn to either side; what comes in from outside repeats the border. */
export function randomRotation(factor: number): Augmentation {
  return (example, { random }) => {
    const angle = (2 * random() - 1) * factor * 2 * Math.PI;
    const [height, width] = example.x.shape as [number, number, number];
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const [middleRow, middleColumn] = [(height - 1) / 2, (width - 1) / 2];
    return draw(example, height, width, (at) => (row, column, channel) => {
      const [down, across] = [row - middleRow, column - middleColumn];
      const [y, x] = [middleRow + cos * down - sin * across, middleColumn + sin * down + cos * across];
      return between(at, y, x, channel, height, width);
    });
  };
}

/** Adds up to `factor` of the range of values, or takes it away. */
export function randomBrightness(factor: number): Augmentation {
  return (example, { random }) => {
    const shift = (2 * random() - 1) * factor * whiteOf(example.x);
    return recolour(example, (value) => value + shift);
  };
}

/** Moves values away from their channel's mean, or towards it, by a factor within 1 ± `factor`. */
export function randomContrast(factor: number): Augmentation {
  return (example, { random }) => {
    const by = 1 + (2 * random() - 1) * factor;
    const channels = example.x.shape[2]!;
    const means = new Float64Array(channels);
    const pixels = example.x.data.length / channels;
    for (let at = 0; at < example.x.data.length; at += 1)
      means[at % channels]! += Number(example.x.data[at]) / pixels;
    return recolour(example, (value, at) => {
      const mean = means[at % channels]!;
      return mean + (value - mean) * by;
    });
  };
}

/** Moves colours away from grey, or towards it, by a factor within 1 ± `factor`. */
export function randomSaturation(factor: number): Augmentation {
  return (example, { random }) => {
    const by = 1 + (2 * random() - 1) * factor;
    const { data, shape } = example.x;
    if (shape[2] !== 3) return example;
    return recolour(example, (value, at) => {
      const start = at - (at % 3);
      // The luma of ITU-R BT.601.
      const grey =
        0.299 * Number(data[start]) + 0.587 * Number(data[start + 1]) + 0.114 * Number(data[start + 2]);
      return grey + (value - grey) * by;
    });
  };
}

/** Blackens a square of the given side somewhere in the image (DeVries and Taylor, 2017). */
export function cutOut(side: number): Augmentation {
  return (example, { random }) => {
    const [height, width] = example.x.shape as [number, number, number];
    const top = Math.floor(random() * height) - Math.floor(side / 2);
    const left = Math.floor(random() * width) - Math.floor(side / 2);
    const isCut = (row: number, column: number) =>
      row >= top && row < top + side && column >= left && column < left + side;
    return draw(
      example,
      height,
      width,
      (at) => (row, column, channel) => (isCut(row, column) ? 0 : at(row, column, channel)),
    );
  };
}

/** Blends each example of a batch, targets too, with another one (Zhang et al., 2018): `dataset.batch(32).map(mixup())`.
 * Targets must be rows of values. The share is drawn from a beta distribution of two equal `alpha`s. */
export function mixup(alpha = 0.2): (batch: Batch, context: Pick<MapContext, 'random'>) => Batch {
  return ({ x, y, sampleWeights }, { random }) => {
    if (y.dtype !== 'float32')
      throw new Error('mixup() blends targets: give rows of values, not class numbers');
    const [count] = x.shape as [number];
    const shares = Float32Array.from({ length: count }, () => beta(alpha, random));
    const others = Uint32Array.from({ length: count }, () => Math.floor(random() * count));
    const blend = ({ shape, data }: Tensor): Tensor => {
      const stride = data.length / count;
      const mixed = Float32Array.from({ length: data.length }, (_, at) => {
        const row = Math.floor(at / stride);
        const other = Number(data[others[row]! * stride + (at % stride)]);
        return shares[row]! * Number(data[at]) + (1 - shares[row]!) * other;
      });
      return tensor(mixed, shape);
    };
    return { x: x.dtype === 'uint8' ? toBytes(blend(x)) : blend(x), y: blend(y), sampleWeights };
  };
}

/** A number of the symmetric beta distribution (Jöhnk, 1964). */
function beta(alpha: number, random: () => number): number {
  for (;;) {
    const [a, b] = [random() ** (1 / alpha), random() ** (1 / alpha)];
    if (a + b > 0 && a + b <= 1) return a / (a + b);
  }
}

const toBytes = ({ shape, data }: Tensor): Tensor =>
  tensor(Uint8Array.from(data as Float32Array, Math.round), shape);

/** An image of another size, its values taken from the old one. */
function draw(example: Example, height: number, width: number, from: (at: Pixels) => Pixels): Example {
  const { dtype, shape, data } = example.x;
  const [, columns, channels] = shape as [number, number, number];
  const at: Pixels = (row, column, channel) => Number(data[(row * columns + column) * channels + channel]);
  const value = from(at);
  const pixels = allocate(dtype, height * width * channels);
  let to = 0;
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        const found = value(row, column, channel);
        pixels[to] = dtype === 'uint8' ? Math.round(found) : found;
        to += 1;
      }
    }
  }
  return { ...example, x: { dtype, shape: [height, width, channels], data: pixels } };
}

function recolour(example: Example, change: (value: number, at: number) => number): Example {
  const { dtype, shape, data } = example.x;
  const white = whiteOf(example.x);
  const changed = allocate(dtype, data.length);
  for (let at = 0; at < data.length; at += 1) {
    const value = Math.min(white, Math.max(0, change(Number(data[at]), at)));
    changed[at] = dtype === 'uint8' ? Math.round(value) : value;
  }
  return { ...example, x: { dtype, shape, data: changed } };
}

/** The largest value: bytes go to 255, real numbers are taken to be scaled. */
const whiteOf = ({ dtype }: Tensor): number => (dtype === 'uint8' ? 255 : 1);

/** Bilinear interpolation. */
function between(at: Pixels, y: number, x: number, channel: number, height: number, width: number): number {
  const row = Math.min(height - 1, Math.max(0, y));
  const column = Math.min(width - 1, Math.max(0, x));
  const [top, left] = [Math.floor(row), Math.floor(column)];
  const [bottom, right] = [Math.min(height - 1, top + 1), Math.min(width - 1, left + 1)];
  const along = (line: number) =>
    at(line, left, channel) * (1 - (column - left)) + at(line, right, channel) * (column - left);
  return along(top) * (1 - (row - top)) + along(bottom) * (row - top);
}
