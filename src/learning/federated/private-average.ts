import { gaussianNoise } from './noise.ts';
import { addScaled, clipToNorm } from './vector.ts';

export interface PrivateAverageOptions {
  /** The most that one client may change the weights by (L2). */
  clipNorm: number;
  /** The deviation of the noise on the sum, in units of `clipNorm`. */
  noiseMultiplier: number;
  /** How many clients a round asks on average. */
  clientsExpected: number;
  /** Normal noise. */
  normal: () => number;
}

/** The next weights of DP-FedAvg (McMahan et al., 2018, https://arxiv.org/abs/1710.06963, algorithm 1): every update
 * is shortened to the norm and counts the same whatever its examples, normal noise is added to their sum, and the sum
 * is divided by a fixed number, so that one client more or less changes it by `clipNorm / clientsExpected` at most.
 * A client that drops out is one update less. */
export class PrivateAverage {
  readonly #sum: Float64Array;
  readonly #options: PrivateAverageOptions;

  constructor(parameterCount: number, options: PrivateAverageOptions) {
    this.#sum = new Float64Array(parameterCount);
    this.#options = options;
  }

  add({ delta }: { delta: Float32Array }): void {
    addScaled(this.#sum, clipToNorm(delta, this.#options.clipNorm), 1);
  }

  applyTo(weights: Float32Array): Float32Array {
    const { clipNorm, noiseMultiplier, clientsExpected, normal } = this.#options;
    const noise = gaussianNoise(weights.length, noiseMultiplier * clipNorm, normal);
    return weights.map((weight, index) => weight + (this.#sum[index]! + noise[index]!) / clientsExpected);
  }
}
