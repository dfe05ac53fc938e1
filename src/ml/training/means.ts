import { type Accumulator, accumulatorOf } from '../metrics/accumulator.ts';
import { type Answers, answersOf } from '../metrics/answers.ts';
import type { MetricSpec } from '../metrics/metric.ts';
import type { Tensor } from '../tensor.ts';
import type { Batch, EpochLogs, MeansState } from './engine.ts';

/** The loss and the metrics of the batches so far: over examples, not over batches, as the last may be smaller. */
export class Means {
  seen = 0;
  #loss = 0;
  readonly #specs: readonly MetricSpec[];
  readonly #metrics: Accumulator[];

  constructor(specs: readonly MetricSpec[], state?: MeansState) {
    this.#specs = specs;
    this.#metrics = specs.map(accumulatorOf);
    if (!state) return;
    this.seen = state.seen;
    this.#loss = state.loss;
    this.#metrics.forEach((metric, index) => {
      metric.sums = [...state.metrics[index]!];
    });
  }

  /** Counts a batch, from the outputs of a training or evaluation program. */
  add({ loss, losses, output }: Record<string, Tensor>, { x, y, sampleWeights }: Batch): void {
    const count = x.shape[0]!;
    this.seen += count;
    this.#loss += Number(loss!.data[0]) * count;
    if (this.#metrics.length === 0) return;
    // The programs give and take these types only.
    const all = {
      count,
      outputs: output!.data as Float32Array,
      targets: y.data as Int32Array | Float32Array,
      weights: sampleWeights?.data as Float32Array | undefined,
      losses: losses?.data as Float32Array | undefined,
    };
    const answers = new Map<number | undefined, Answers>();
    this.#metrics.forEach((metric, index) => {
      const { part } = this.#specs[index]!;
      const own = answers.get(part?.index) ?? answersOf(all, part);
      answers.set(part?.index, own);
      metric.update(own);
    });
  }

  logs(): EpochLogs {
    const figures = this.#specs.map(({ name }, index) => [name, this.#metrics[index]!.result()]);
    // `accuracy` is among the figures unless other metrics were asked for; see `EpochLogs`.
    return { loss: this.#loss / this.seen, ...Object.fromEntries(figures) } as EpochLogs;
  }

  state(): MeansState {
    return { seen: this.seen, loss: this.#loss, metrics: this.#metrics.map(({ sums }) => [...sums]) };
  }
}
