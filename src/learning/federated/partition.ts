import { normal, permutation } from '../../ml/random.ts';

/** Deals the examples out to clients at random, as evenly as it goes; each client's indices. */
export function partitionEvenly(count: number, clients: number, random: () => number): Uint32Array[] {
  const order = permutation(count, random);
  const start = (client: number) => Math.round((client * count) / clients);
  return Array.from({ length: clients }, (_, client) => order.slice(start(client), start(client + 1)));
}

/** Deals the examples of each class out by shares that a symmetric Dirichlet distribution gives, the lower
 * `concentration` the more uneven (Hsu, Qi and Brown, 2019, https://arxiv.org/abs/1909.06335; here class by class, as
 * Li et al., 2022, https://arxiv.org/abs/2102.02079). A client without any example is given one of the largest. */
export function partitionByDirichlet(
  labels: ArrayLike<number>,
  { clients, concentration, random }: { clients: number; concentration: number; random: () => number },
): Uint32Array[] {
  const parts: number[][] = Array.from({ length: clients }, () => []);
  const classes = Map.groupBy(permutation(labels.length, random), (index) => labels[index]!);
  for (const label of [...classes.keys()].sort((a, b) => a - b)) {
    const indices = classes.get(label)!;
    let share = 0;
    let from = 0;
    dirichlet(clients, concentration, random).forEach((portion, client) => {
      share += portion;
      const to = client === clients - 1 ? indices.length : Math.round(share * indices.length);
      parts[client]!.push(...indices.slice(from, to));
      from = to;
    });
  }
  for (const part of parts) {
    const largest = parts.reduce((most, other) => (other.length > most.length ? other : most));
    if (part.length === 0 && largest.length > 1) part.push(largest.pop()!);
  }
  return parts.map((part) => Uint32Array.from(part));
}

/** Shares of 1, by normalised gamma variables. */
export function dirichlet(length: number, concentration: number, random: () => number): number[] {
  const drawn = Array.from({ length }, () => gamma(concentration, random));
  const total = drawn.reduce((sum, value) => sum + value, 0);
  // With a tiny concentration all may round to 0: then one has everything.
  const winner = total === 0 ? Math.floor(random() * length) : undefined;
  if (winner !== undefined) return drawn.map((_, index) => Number(index === winner));
  return drawn.map((value) => value / total);
}

/** A gamma variable of this shape and scale 1 (Marsaglia and Tsang, 2000). */
function gamma(shape: number, random: () => number): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
