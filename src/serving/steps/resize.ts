import type { Picture } from './decode.ts';

/** For each place of the output: the first place of the input that counts, and the weights from there on. */
interface Kernel {
  starts: Int32Array;
  weights: Float32Array[];
}

/**
 * Bilinear, pixel centres at halves. Without `antialias` each place is mixed of its two neighbours, as
 * `tf.image.resize`; with it the filter grows with the shrinking, as PIL's `Image.resize`, which rounds to whole values
 * between the two passes, this does not.
 */
export function resize(
  picture: Picture,
  to: { height: number; width: number; antialias: boolean },
): Picture & { data: Float32Array } {
  const { height, channels } = picture;
  const columns = kernelOf(picture.width, to.width, to.antialias);
  const narrow = new Float32Array(height * to.width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < to.width; x++) {
      const weights = columns.weights[x]!;
      for (let channel = 0; channel < channels; channel++) {
        let at = (y * picture.width + columns.starts[x]!) * channels + channel;
        let sum = 0;
        for (const weight of weights) {
          sum += weight * picture.data[at]!;
          at += channels;
        }
        narrow[(y * to.width + x) * channels + channel] = sum;
      }
    }
  }
  const rows = kernelOf(height, to.height, to.antialias);
  const rowSize = to.width * channels;
  const data = new Float32Array(to.height * rowSize);
  for (let y = 0; y < to.height; y++) {
    const into = data.subarray(y * rowSize, (y + 1) * rowSize);
    for (const [i, weight] of rows.weights[y]!.entries()) {
      const from = (rows.starts[y]! + i) * rowSize;
      for (let k = 0; k < rowSize; k++) into[k]! += weight * narrow[from + k]!;
    }
  }
  return { height: to.height, width: to.width, channels, data };
}

function kernelOf(from: number, to: number, antialias: boolean): Kernel {
  const ratio = from / to;
  const reach = antialias ? Math.max(1, ratio) : 1;
  const starts = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * ratio;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(from, Math.floor(centre + reach + 0.5));
    starts[place] = first;
    const row = Float32Array.from({ length: end - first }, (_, i) =>
      Math.max(0, 1 - Math.abs((first + i + 0.5 - centre) / reach)),
    );
    const sum = row.reduce((total, weight) => total + weight, 0);
    return row.map((weight) => weight / sum);
  });
  return { starts, weights };
}
