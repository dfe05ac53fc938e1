import type { Tensor } from '../tensor.ts';

/** Images, uint8 [count, height, width, channels] in RGB, with one class number each. */
export interface LabelledImages {
  images: Tensor;
  labels: Uint8Array;
}

export interface ImageDataset {
  train: LabelledImages;
  test: LabelledImages;
  classNames: string[];
  /** Where the images come from, for people: a folder, an address, or "generated". */
  source: string;
}

/** Bytes that a worker thread can read without a copy, where the platform allows it. */
export function sharedBytes(length: number): Uint8Array {
  if (typeof SharedArrayBuffer === 'undefined') return new Uint8Array(length);
  return new Uint8Array(new SharedArrayBuffer(length));
}
