import type { Tensor } from '../datatype.ts';

export const examplesMax = 64;
/** Of all that are kept. */
export const exampleBytesMax = 16 * 1024 * 1024;

/** An input of which the model was unsure, to be labelled and trained on. */
export interface HardExample {
  /** RFC 3339. */
  time: string;
  confidence: number;
  escalated: boolean;
  /** One row of each input, as the model took it. */
  inputs: Record<string, Tensor>;
  /** The JPEG or PNG that it was made of, if it came as one. */
  image?: Uint8Array;
}

/** The newest hard examples, in memory, bounded in number and bytes. */
export class HardExamples {
  #examples: { example: HardExample; bytes: number }[] = [];
  #bytes = 0;

  add(example: HardExample): void {
    const bytes = sizeOf(example);
    if (bytes > exampleBytesMax) return;
    this.#examples.push({ example, bytes });
    this.#bytes += bytes;
    while (this.#examples.length > examplesMax || this.#bytes > exampleBytesMax)
      this.#bytes -= this.#examples.shift()!.bytes;
  }

  /** Newest first. */
  list(): HardExample[] {
    return this.#examples.map(({ example }) => example).reverse();
  }

  clear(): void {
    this.#examples = [];
    this.#bytes = 0;
  }
}

function sizeOf({ inputs, image }: HardExample): number {
  const tensors = Object.values(inputs).map(({ data }) =>
    Array.isArray(data) ? data.reduce((sum, text) => sum + 2 * text.length, 0) : data.byteLength,
  );
  return tensors.reduce((sum, bytes) => sum + bytes, image?.length ?? 0);
}
