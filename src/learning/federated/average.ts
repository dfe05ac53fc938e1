import { stalenessWeight } from './staleness.ts';
import { addScaled } from './vector.ts';

/** What one client changed in a round. */
export interface ClientUpdate {
  /** The weights after its training, less those that it began with. */
  delta: Float32Array;
  /** Examples that it trained on. */
  samples: number;
  /** Rounds that have ended since those weights were handed out. */
  roundsLate: number;
}

/** The next weights of FedAvg (McMahan et al., 2017, https://arxiv.org/abs/1602.05629, algorithm 1), from updates that
 * come one by one: the weights and the mean of the changes, each counting by its examples. Of a late one only the
 * share `stalenessWeight` counts, and the rest of it as no change, as in FedBuff (Nguyen et al., 2022,
 * https://arxiv.org/abs/2106.06639): it never takes a fresh one's place. */
export class FederatedAverage {
  readonly #sum: Float64Array;
  #samples = 0;

  constructor(parameterCount: number) {
    this.#sum = new Float64Array(parameterCount);
  }

  add({ delta, samples, roundsLate }: ClientUpdate): void {
    addScaled(this.#sum, delta, samples * stalenessWeight(roundsLate));
    this.#samples += samples;
  }

  /** Of no update the weights as they are. */
  applyTo(weights: Float32Array): Float32Array {
    const { length } = this.#sum;
    if (weights.length !== length) throw new Error(`an average of ${length} weights got ${weights.length}`);
    const share = this.#samples === 0 ? 0 : 1 / this.#samples;
    return weights.map((weight, index) => weight + this.#sum[index]! * share);
  }
}
