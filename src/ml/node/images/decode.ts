import { createRequire } from 'node:module';
import { ImageError, type Pixels } from './pixels.ts';

/** More than this is no photograph but an attack or a mistake. */
const megapixelsMax = 100;

// The libraries are CommonJS; each is loaded when its first file comes.
const require = createRequire(import.meta.url);

/** Decodes a JPEG or PNG, told by its first bytes, to RGBA.
 * @throws ImageError that says what is wrong with the bytes. */
export function decodeImage(bytes: Uint8Array): Pixels {
  if (bytes.length === 0) throw new ImageError('it is empty');
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return decodeJpeg(bytes);
  if (pngSignature.every((byte, at) => bytes[at] === byte)) return decodePng(bytes);
  const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new ImageError(`not a JPEG and not a PNG: it begins with the bytes ${start}`);
}

const pngSignature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function decodeJpeg(bytes: Uint8Array): Pixels {
  const jpeg: typeof import('jpeg-js') = require('jpeg-js');
  try {
    const options = { useTArray: true, tolerantDecoding: false, maxResolutionInMP: megapixelsMax } as const;
    const { width, height, data } = jpeg.decode(bytes, options);
    return { width, height, data };
  } catch (cause) {
    throw new ImageError(`a damaged JPEG: ${reason(cause)}`, { cause });
  }
}

function decodePng(bytes: Uint8Array): Pixels {
  const { PNG }: typeof import('pngjs') = require('pngjs');
  // The header chunk always comes first and has the size at these places.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const claimed = bytes.length < 24 ? 0 : view.getUint32(16) * view.getUint32(20);
  if (claimed > megapixelsMax * 1e6)
    throw new ImageError(`a PNG of ${claimed} pixels, more than ${megapixelsMax} million`);
  try {
    const { width, height, data } = PNG.sync.read(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    );
    return { width, height, data };
  } catch (cause) {
    throw new ImageError(`a damaged PNG: ${reason(cause)}`, { cause });
  }
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
