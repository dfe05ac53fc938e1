import { StatusError } from '../base/errors.ts';

const factors: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Reads a `resource.Quantity` such as `100m`, `1.5Gi` or `1e3` as a number of its base unit (cores, bytes). */
export function parseQuantity(text: string): number {
  const match = /^([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$/.exec(
    text,
  );
  if (!match) throw new StatusError('Invalid', `"${text}" is not a quantity such as 100m or 1.5Gi`);
  const [, number, suffix = ''] = match;
  return /^[eE][+-]?[0-9]/.test(suffix) ? Number(`${number}${suffix}`) : Number(number) * factors[suffix]!;
}
