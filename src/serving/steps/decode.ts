import { StatusError } from '../../base/errors.ts';

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
export async function decodeImage(bytes: Uint8Array, channels: number): Promise<Picture> {
  const { width, height, format } = readHeader(bytes);
  if (width === 0 || height === 0 || width * height > pixelsMax)
    throw bad(`the image has ${width} x ${height} pixels, allowed are 1 to ${pixelsMax}`);
  try {
    const rgba = format === 'jpeg' ? await decodeJpeg(bytes) : await decodePng(bytes);
    return fromRgba(rgba, width, height, channels);
  } catch (error) {
    throw bad(`the ${format.toUpperCase()} can't be decoded: ${(error as Error).message}`);
  }
}

async function decodeJpeg(bytes: Uint8Array): Promise<Uint8Array> {
  const { decode } = (await import('jpeg-js')).default;
  return decode(bytes, { useTArray: true, maxResolutionInMP: 16.8, maxMemoryUsageInMB: 512 }).data;
}

async function decodePng(bytes: Uint8Array): Promise<Uint8Array> {
  const { PNG } = (await import('pngjs')).default;
  return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).data;
}

interface Header {
  format: 'jpeg' | 'png';
  width: number;
  height: number;
}

/** Source: PNG (W3C), 11.2.2 IHDR; JPEG (ITU-T T.81), B.2.2 frame header. Throws BadRequest. */
export function readHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isPng = bytes.length >= 24 && view.getUint32(0) === 0x89504e47 && view.getUint32(4) === 0x0d0a1a0a;
  if (isPng) return { format: 'png', width: view.getUint32(16), height: view.getUint32(20) };
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8)
    throw bad('the bytes are neither a JPEG nor a PNG image');
  for (let at = 2; at + 9 <= bytes.length; ) {
    const marker = view.getUint16(at);
    if (marker === 0xffff) {
      at += 1; // fill bytes
      continue;
    }
    if (marker < 0xffc0) break;
    // SOF0 to SOF15, without DHT, JPG and DAC, which lie among them.
    if (marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker))
      return { format: 'jpeg', height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    at += 2 + view.getUint16(at + 2);
  }
  throw bad('the JPEG has no frame header: it is cut short or damaged');
}

function fromRgba(rgba: Uint8Array, width: number, height: number, channels: number): Picture {
  const pixels = width * height;
  if (rgba.length !== pixels * 4) throw new Error('its pixels are not those that the header states');
  const data = new Uint8Array(pixels * channels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const [red, green, blue] = [rgba[pixel * 4]!, rgba[pixel * 4 + 1]!, rgba[pixel * 4 + 2]!];
    if (channels === 1) data[pixel] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    else data.set([red, green, blue], pixel * 3);
  }
  return { height, width, channels, data };
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}
