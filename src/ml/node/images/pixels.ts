/** An image as its file has it: RGBA, a byte each. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8Array;
}

/** A file that is no image, or a damaged one. */
export class ImageError extends Error {
  override name = 'ImageError';
}

/** RGBA to [height, width, channels] bytes, scaled by bilinear interpolation about the pixels' middles, as Keras'
 * image_dataset_from_directory does; transparency is dropped. */
export function resize(
  { width, height, data }: Pixels,
  to: { height: number; width: number; channels: 1 | 3 },
): Uint8Array {
  const pixels = new Uint8Array(to.height * to.width * to.channels);
  const columns = Array.from({ length: to.width }, (_, column) => source(column, to.width, width));
  let at = 0;
  for (let row = 0; row < to.height; row += 1) {
    const [top, bottom, down] = source(row, to.height, height);
    for (const [left, right, across] of columns) {
      const channel = (offset: number): number => {
        const value = (y: number, x: number) => data[(y * width + x) * 4 + offset]!;
        const above = value(top, left) * (1 - across) + value(top, right) * across;
        const below = value(bottom, left) * (1 - across) + value(bottom, right) * across;
        return above * (1 - down) + below * down;
      };
      if (to.channels === 1) {
        // The luma of ITU-R BT.601.
        pixels[at] = Math.round(0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2));
        at += 1;
        continue;
      }
      for (let offset = 0; offset < 3; offset += 1, at += 1) pixels[at] = Math.round(channel(offset));
    }
  }
  return pixels;
}

/** The two places between which one lies, and how far it is from the first. */
function source(at: number, to: number, from: number): [number, number, number] {
  const place = Math.min(from - 1, Math.max(0, ((at + 0.5) * from) / to - 0.5));
  const first = Math.floor(place);
  return [first, Math.min(from - 1, first + 1), place - first];
}
