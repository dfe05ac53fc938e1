import { permutation, randomGenerator } from '../../ml/random.ts';

export interface CohortOptions {
  /** Clients that are there. */
  present: readonly string[];
  /** How many are asked; all if absent. */
  size: number | undefined;
  /** Fixes the choice, together with the round and how often it was tried. */
  seed: number;
  round: number;
  attempt: number;
}

/** The clients of a round: `size` of those that are there, at random. */
export function chooseCohort({ present, size, ...draw }: CohortOptions): string[] {
  const names = present.toSorted();
  if (size === undefined || size >= names.length) return names;
  const order = permutation(names.length, randomGenerator(seedOf(draw)));
  return [...order.subarray(0, size)].map((index) => names[index]!).toSorted();
}

/** The clients of a private round: each with the same chance and on its own, as the privacy accountant assumes, also
 * where that gives nobody. Who takes part must not be foreseen, so `random` is no seeded one. */
export function samplePoisson(present: readonly string[], rate: number, random: () => number): string[] {
  return present.toSorted().filter(() => random() < rate);
}

/** Far apart for neighbours, as one seed's numbers are those of the next one but one step. */
function seedOf({ seed, round, attempt }: Pick<CohortOptions, 'seed' | 'round' | 'attempt'>): number {
  return Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(round, 0x85ebca6b) ^ Math.imul(attempt, 0xc2b2ae35);
}
