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

/** Samples a pixel by colour type. Source: PNG (W3C), 11.2.2 IHDR. */
const samplesOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/**
 * The library bounds what it unpacks only of images that are not interlaced: a small file could become gigabytes. Of others
 * that end early it takes what lay in memory for pixels.
 */
function expectPngSize(bytes: Uint8Array, { width, height }: ImageHeader): void {
  const [depth, colour, , , interlace] = bytes.subarray(24, 29);
  const rowBytes = 1 + Math.ceil((width * (samplesOf[colour!] ?? 0) * depth!) / 8);
  // In each of the seven passes of an interlaced image there is a byte before each row, and rows are rounded up.
  const bytesMax = interlace === 1 ? (rowBytes + 8) * (height + 8) * 2 : rowBytes * height;
  const unpacked = unpackPixels(bytes, bytesMax + 1);
  if (unpacked > bytesMax) throw new Error('it holds more than its header states');
  if (interlace !== 1 && unpacked < bytesMax) throw new Error('it ends early');
}

/** How many bytes of pixels a PNG unpacks to, `bytesMax` at most. */
function unpackPixels(bytes: Uint8Array, bytesMax: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at))
    if (view.getUint32(at + 4) === idat) parts.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
  try {
    const limits = { maxOutputLength: bytesMax, finishFlush: constants.Z_SYNC_FLUSH };
    return inflateSync(Buffer.concat(parts), limits).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return bytesMax;
    throw error;
  }
}
