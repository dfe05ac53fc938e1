import { createRequire } from 'node:module';
import { constants, inflateSync } from 'node:zlib';
import { type ImageHeader, readImageHeader } from './header.ts';
import { ImageError, type Pixels } from './pixels.ts';

/** More than this is no photograph but an attack or a mistake. */
const photographPixelsMax = 100_000_000;

/** The type of the chunks that hold a PNG's pixels. */
const idat = 0x49444154;

export interface DecodeOptions {
  /** Of an image as its header states it, before anything is unpacked; 4 bytes a pixel are needed. */
  pixelsMax?: number;
  /** Takes a JPEG that ends early, or has marks that don't belong there, for what there is of it. */
  isTolerant?: boolean;
}

// The libraries are CommonJS; each is loaded when its first file comes.
const require = createRequire(import.meta.url);

/** Decodes a JPEG or PNG, told by its first bytes, to RGBA.
 * @throws ImageError that says what is wrong with the bytes. */
export function decodeImage(
  bytes: Uint8Array,
  { pixelsMax = photographPixelsMax, isTolerant = false }: DecodeOptions = {},
): Pixels {
  const header = readImageHeader(bytes);
  const { format, width, height } = header;
  const pixels = width * height;
  if (pixels === 0 || pixels > pixelsMax)
    throw new ImageError(`a ${format} of ${width} x ${height} pixels, allowed are 1 to ${pixelsMax} in all`);
  try {
    const decoded = format === 'PNG' ? decodePng(bytes, header) : decodeJpeg(bytes, header, isTolerant);
    if (decoded.length !== pixels * 4) throw new Error('its pixels are not those that the header states');
    return { width, height, data: decoded };
  } catch (cause) {
    throw new ImageError(`a damaged ${format}: ${(cause as Error).message ?? cause}`, { cause });
  }
}

function decodeJpeg(bytes: Uint8Array, { width, height }: ImageHeader, isTolerant: boolean): Uint8Array {
  const jpeg: typeof import('jpeg-js') = require('jpeg-js');
  // Its own limit counts in millions, and is checked against the same header.
  const maxResolutionInMP = Math.ceil((width * height) / 1e6);
  return jpeg.decode(bytes, { useTArray: true, tolerantDecoding: isTolerant, maxResolutionInMP }).data;
}

function decodePng(bytes: Uint8Array, header: ImageHeader): Uint8Array {
  expectPngSize(bytes, header);
  const { PNG }: typeof import('pngjs') = require('pngjs');
  return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).data;
}

/** The library bounds what it unpacks only of images that are not interlaced: a small file could become gigabytes. */
function expectPngSize(bytes: Uint8Array, { width, height }: ImageHeader): void {
  const isInterlaced = bytes[28] === 1;
  if (!isInterlaced) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at))
    if (view.getUint32(at + 4) === idat) parts.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
  // Eight bytes a pixel at most, and in each of seven passes a byte before each row.
  const bytesMax = width * height * 8 + 7 * (height + 8);
  inflateSync(Buffer.concat(parts), { maxOutputLength: bytesMax, finishFlush: constants.Z_SYNC_FLUSH });
}
