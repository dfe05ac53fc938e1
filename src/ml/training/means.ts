import type { Tensor } from '../tensor.ts';

/** Means over examples, not over batches: the last batch may be smaller. */
export class Means {
  seen = 0;
  #loss = 0;
  #correct = 0;

  /** Counts a batch of `size`, from the outputs of a training or evaluation program. */
  add({ loss, correct }: Record<string, Tensor>, size: number): void {
    this.seen += size;
    this.#loss += Number(loss!.data[0]) * size;
    this.#correct += Number(correct!.data[0]);
  }

  logs(): { loss: number; accuracy: number } {
    return { loss: this.#loss / this.seen, accuracy: this.#correct / this.seen };
  }
}
