import { normal, randomGenerator } from '../random.ts';
import { type ImageDataset, type LabelledImages, sharedBytes } from './labelled-images.ts';

const side = 32;
const channels = 3;

export const syntheticClassNames = [
  'horizontal stripes',
  'vertical stripes',
  'rising stripes',
  'falling stripes',
  'checks',
  'rings',
  'disc',
  'square',
  'triangle',
  'cross',
];

export interface SyntheticOptions {
  /** Training images; 4,000 by default. */
  train?: number;
  /** Test images; 1,000 by default. */
  test?: number;
  seed?: number;
  /** Standard deviation of the noise on each byte; 28 by default. */
  noise?: number;
}

/** Generated images of the size of CIFAR-10's: ten kinds of texture and shape, drawn in random colours, places
 * and sizes, under noise. Colour says nothing of the class. The same seed gives the same images. */
export function syntheticImages({
  train = 4000,
  test = 1000,
  seed = 0,
  noise = 28,
}: SyntheticOptions = {}): ImageDataset {
  const random = randomGenerator(seed);
  return {
    train: draw(train, random, noise),
    test: draw(test, random, noise),
    classNames: syntheticClassNames,
    source: 'generated',
  };
}

function draw(count: number, random: () => number, noise: number): LabelledImages {
  const data = sharedBytes(count * side * side * channels);
  const labels = sharedBytes(count);
  for (let index = 0; index < count; index += 1) {
    const label = index % syntheticClassNames.length;
    labels[index] = label;
    const start = index * side * side * channels;
    paint(data.subarray(start, start + side * side * channels), label, random, noise);
  }
  return { images: { dtype: 'uint8', shape: [count, side, side, channels], data }, labels };
}

/** Draws one image: a background and a foreground colour, mixed by the class's pattern. */
function paint(pixels: Uint8Array, label: number, random: () => number, noise: number): void {
  const background = [random(), random(), random()].map((value) => 30 + 195 * value);
  const contrast = (random() < 0.5 ? -1 : 1) * (50 + 70 * random());
  const foreground = background.map((value) => {
    const moved = value + contrast;
    return (moved < 0 || moved > 255 ? value - contrast : moved) + 40 * (random() - 0.5);
  });
  const covers = pattern(label, random);
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const colour = covers(column, row) ? foreground : background;
      const at = (row * side + column) * channels;
      for (let channel = 0; channel < channels; channel += 1) {
        pixels[at + channel] = Math.min(255, Math.max(0, colour[channel]! + noise * normal(random)));
      }
    }
  }
}

/** Which pixels the foreground covers, for a class in a random place, size and phase. */
function pattern(label: number, random: () => number): (x: number, y: number) => boolean {
  const centreX = 11 + 10 * random();
  const centreY = 11 + 10 * random();
  const radius = 5 + 5 * random();
  const period = 5 + 5 * random();
  const phase = random();
  const tilt = 0.25 * (random() - 0.5);
  const stripes = (distance: number) => (((distance / period + phase) % 1) + 1) % 1 < 0.5;
  const fromCentre = (x: number, y: number) => Math.hypot(x - centreX, y - centreY);
  const patterns: ((x: number, y: number) => boolean)[] = [
    (x, y) => stripes(y + tilt * x),
    (x, y) => stripes(x + tilt * y),
    (x, y) => stripes((x + y) * Math.SQRT1_2 + tilt * x),
    (x, y) => stripes((x - y) * Math.SQRT1_2 + tilt * x),
    (x, y) => stripes(x) !== stripes(y),
    (x, y) => stripes(fromCentre(x, y)),
    (x, y) => fromCentre(x, y) < radius,
    (x, y) => Math.max(Math.abs(x - centreX), Math.abs(y - centreY)) < radius * 0.9,
    (x, y) => y - centreY < radius && Math.abs(x - centreX) < (y - centreY + radius) * 0.55,
    (x, y) =>
      Math.min(Math.abs(x - centreX), Math.abs(y - centreY)) < radius * 0.3 &&
      fromCentre(x, y) < radius * 1.3,
  ];
  return patterns[label]!;
}
