import { ImageError } from './pixels.ts';

export interface ImageHeader {
  format: 'JPEG' | 'PNG';
  width: number;
  height: number;
}

/** What an image says of itself. Source: PNG (W3C), 11.2.2 IHDR; JPEG (ITU-T T.81), B.2.2 frame header.
 * @throws ImageError for what is neither, or ends before it. */
export function readImageHeader(bytes: Uint8Array): ImageHeader {
  if (bytes.length === 0) throw new ImageError('it is empty');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isPng = bytes.length >= 24 && view.getUint32(0) === 0x89504e47 && view.getUint32(4) === 0x0d0a1a0a;
  if (isPng) return { format: 'PNG', width: view.getUint32(16), height: view.getUint32(20) };
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) {
    const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new ImageError(`neither a JPEG nor a PNG: it begins with the bytes ${start}`);
  }
  for (let at = 2; at + 9 <= bytes.length; ) {
    const marker = view.getUint16(at);
    if (marker === 0xffff) {
      at += 1; // fill bytes
      continue;
    }
    if (marker < 0xffc0) break;
    // SOF0 to SOF15, without DHT, JPG and DAC, which lie among them.
    if (marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker))
      return { format: 'JPEG', height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    at += 2 + view.getUint16(at + 2);
  }
  throw new ImageError('a damaged JPEG: it has no frame header');
}
