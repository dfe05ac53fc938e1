/** What rounds of a noisy sum cost in differential privacy. */
export interface PrivacyCost {
  /** The chance that a client takes part in a round, each on its own. */
  samplingRate: number;
  /** The deviation of the noise, in units of the most that one client changes the sum by. */
  noiseMultiplier: number;
  rounds: number;
  delta: number;
}

/** Orders of the divergence that are tried; the best one counts. */
const orders = [...Array.from({ length: 63 }, (_, index) => index + 2), 80, 96, 128, 192, 256, 512, 1024];

/** The epsilon of (epsilon, delta)-differential privacy that these rounds together give each client, all of its
 * examples: an upper bound, by Rényi divergences. Infinite without noise, 0 without rounds.
 *
 * A round's divergence is that of the Gaussian mechanism on a Poisson sample (Mironov, 2017,
 * https://arxiv.org/abs/1702.07476; Abadi et al., 2016, https://arxiv.org/abs/1607.00133; Mironov, Talwar and Zhang,
 * 2019, https://arxiv.org/abs/1908.10530), rounds add up, and the sum is turned into epsilon by proposition 12 of
 * Canonne, Kamath and Steinke, 2020, https://arxiv.org/abs/2004.00010. */
export function epsilonOf({ samplingRate, noiseMultiplier, rounds, delta }: PrivacyCost): number {
  if (!(delta > 0 && delta < 1)) throw new RangeError(`delta must be between 0 and 1, got ${delta}`);
  if (rounds === 0 || samplingRate === 0) return 0;
  if (noiseMultiplier === 0) return Number.POSITIVE_INFINITY;
  const found = orders.map((order) => {
    const divergence = rounds * renyiDivergence(samplingRate, noiseMultiplier, order);
    return divergence + Math.log1p(-1 / order) - Math.log(delta * order) / (order - 1);
  });
  return Math.max(0, Math.min(...found));
}

/** The Rényi divergence of a whole order above 1 that one round costs: equation 3 of Mironov, Talwar and Zhang. */
export function renyiDivergence(samplingRate: number, noiseMultiplier: number, order: number): number {
  const q = samplingRate;
  const variance = noiseMultiplier ** 2;
  if (q === 1) return order / (2 * variance);
  let logSum = Number.NEGATIVE_INFINITY;
  let logBinomial = 0;
  for (let k = 0; k <= order; k += 1) {
    if (k > 0) logBinomial += Math.log((order - k + 1) / k);
    const chance = logBinomial + (order - k) * Math.log1p(-q) + k * Math.log(q);
    logSum = logAdd(logSum, chance + (k * (k - 1)) / (2 * variance));
  }
  return Math.max(0, logSum) / (order - 1);
}

/** log(e^a + e^b) */
function logAdd(a: number, b: number): number {
  const [low, high] = a < b ? [a, b] : [b, a];
  return low === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(low - high));
}
