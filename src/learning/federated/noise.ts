import { randomFillSync } from 'node:crypto';

/** Numbers of the normal distribution around 0 with this deviation. */
export function gaussianNoise(length: number, deviation: number, normal: () => number): Float64Array {
  return Float64Array.from({ length }, () => deviation * normal());
}

const pool = new Uint32Array(4096);

/** Standard normal numbers that nobody can foretell (Box and Muller, both of each pair), from the system's generator:
 * who knew the seed could take the noise away again. */
export function secretNormal(): () => number {
  let at = pool.length;
  let spare: number | undefined;
  const uniform = (): number => {
    if (at + 2 > pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    // 53 bits, above 0 for the logarithm.
    const number = ((pool[at]! >>> 5) * 2 ** 26 + (pool[at + 1]! >>> 6) + 1) / 2 ** 53;
    at += 2;
    return number;
  };
  return () => {
    if (spare !== undefined) {
      const number = spare;
      spare = undefined;
      return number;
    }
    const length = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = length * Math.sin(angle);
    return length * Math.cos(angle);
  };
}
