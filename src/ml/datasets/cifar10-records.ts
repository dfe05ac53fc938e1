import { type LabelledImages, sharedBytes } from './labelled-images.ts';

const side = 32;
const plane = side * side;

/** One label byte, then 1,024 red, 1,024 green and 1,024 blue bytes, row by row
 * (https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version"). */
export const recordBytes = 1 + 3 * plane;
const classes = 10;

/** A file of CIFAR-10 that is not what it should be. */
export class CifarFormatError extends Error {
  override name = 'CifarFormatError';
}

/** Checks files of records and joins them into images [count, 32, 32, 3]. */
export function decodeCifarRecords(files: { path: string; bytes: Uint8Array }[]): LabelledImages {
  for (const { path, bytes } of files) checkSize(path, bytes.length);
  const count = files.reduce((total, { bytes }) => total + bytes.length / recordBytes, 0);
  const data = sharedBytes(count * plane * 3);
  const labels = sharedBytes(count);
  let index = 0;
  for (const { path, bytes } of files) {
    for (let start = 0; start < bytes.length; start += recordBytes) {
      const label = bytes[start]!;
      if (label >= classes) throw badLabel(path, label, start / recordBytes, start);
      labels[index] = label;
      interleave(bytes.subarray(start + 1, start + recordBytes), data, index * plane * 3);
      index += 1;
    }
  }
  return { images: { dtype: 'uint8', shape: [count, side, side, 3], data }, labels };
}

function checkSize(path: string, size: number): void {
  if (size > 0 && size % recordBytes === 0) return;
  const whole = Math.floor(size / recordBytes);
  const problem =
    size === 0
      ? 'is empty'
      : `has ${size} bytes: ${whole} whole records and ${size % recordBytes} bytes more, so it is cut short or damaged`;
  throw new CifarFormatError(
    `${path} ${problem}. A CIFAR-10 file is one or more records of ${recordBytes} bytes ` +
      '(10,000 in the official archive, 30,730,000 bytes). Fetch it again, or point --data at another folder.',
  );
}

const badLabel = (path: string, label: number, record: number, offset: number): CifarFormatError =>
  new CifarFormatError(
    `${path} has label ${label} in record ${record} (byte ${offset}), expected 0 to ${classes - 1}: ` +
      'it is damaged or not a CIFAR-10 file (CIFAR-100 has another layout). Fetch it again.',
  );

/** Three colour planes into pixels. */
function interleave(planes: Uint8Array, into: Uint8Array, start: number): void {
  for (let pixel = 0; pixel < plane; pixel += 1) {
    const at = start + pixel * 3;
    into[at] = planes[pixel]!;
    into[at + 1] = planes[plane + pixel]!;
    into[at + 2] = planes[2 * plane + pixel]!;
  }
}
