import { StatusError } from '../../base/errors.ts';
import { decodeImage } from '../../ml/node/images/decode.ts';
import { readImageHeader } from '../../ml/node/images/header.ts';
import type { Pixels } from '../../ml/node/images/pixels.ts';

/** Pixels by row, then column, then channel. */
export interface Picture {
  height: number;
  width: number;
  channels: number;
  data: Uint8Array | Float32Array;
}

/** Of a picture as its header states it, before anything is unpacked: 4 bytes a pixel are needed. */
export const pixelsMax = 16 * 1024 * 1024;

/**
 * Decodes a JPEG or PNG into RGB, or into grey by ITU-R 601-2 as PIL's "L" if `channels` is 1; transparency is dropped.
 * Throws BadRequest.
 */
export function decodePicture(bytes: Uint8Array, channels: number): Picture {
  const { width, height, data } = refused(() => decodeImage(bytes, { pixelsMax, isTolerant: true }));
  return { width, height, channels, data: withoutAlpha(data, channels) };
}

/** How many pixels an image says that it has. Throws BadRequest. */
export function pixelsOf(bytes: Uint8Array): number {
  const { width, height } = refused(() => readImageHeader(bytes));
  return width * height;
}

function withoutAlpha(rgba: Pixels['data'], channels: number): Uint8Array {
  const pixels = rgba.length / 4;
  const data = new Uint8Array(pixels * channels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const [red, green, blue] = [rgba[pixel * 4]!, rgba[pixel * 4 + 1]!, rgba[pixel * 4 + 2]!];
    if (channels === 1) data[pixel] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    else data.set([red, green, blue], pixel * 3);
  }
  return data;
}

function refused<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new StatusError('BadRequest', `the image can't be decoded: ${(error as Error).message}`);
  }
}
