/** A Kubernetes quantity (`500m`, `1Gi`, `1e3`): an exact number of billionths, and how it is written. */
export interface Quantity {
  readonly nanos: bigint;
  readonly format: 'decimal' | 'binary' | 'exponent';
}

const nanosPerUnit = 1_000_000_000n;
const quantityPattern = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;
const decimalSuffix: Record<string, number> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binarySuffix: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const largest = (2n ** 63n - 1n) * nanosPerUnit;

export const quantityError =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Pods ask for the same few amounts, and each is read several times on its way into the store. */
const known = new Map<string, Quantity>();
export const knownMax = 1000;
const knownLengthMax = 32;

/** Throws RangeError in Kubernetes' words. Fractions below a billionth are rounded up, as Kubernetes does. */
export function parseQuantity(value: string | number): Quantity {
  const text = String(value);
  let quantity = known.get(text);
  if (!quantity) {
    quantity = readQuantity(text);
    if (known.size >= knownMax) known.clear();
    if (text.length <= knownLengthMax) known.set(text, quantity);
  }
  return quantity;
}

/** How many are known at the moment. */
export function quantitiesKnown(): number {
  return known.size;
}

function readQuantity(value: string): Quantity {
  const match = quantityPattern.exec(value);
  const number = match && /^([+-]?)(\d*)\.?(\d*)$/.exec(match[1]!);
  if (!number || (number[2] === '' && number[3] === '')) throw new RangeError(quantityError);
  const { format, tens, twos } = suffixOf(match[2]!);
  const digits = BigInt(`${number[2]}${number[3]}`);
  const scale = tens + 9 - number[3]!.length;
  const shifted = digits << BigInt(twos);
  const magnitude = scale >= 0 ? shifted * 10n ** BigInt(scale) : divideUp(shifted, 10n ** BigInt(-scale));
  const nanos = magnitude > largest ? largest : magnitude;
  return { nanos: number[1] === '-' ? -nanos : nanos, format };
}

/** In Kubernetes' canonical form: no fraction, the largest suffix that allows that. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  const magnitude = nanos < 0n ? -nanos : nanos;
  return sign + (format === 'binary' ? formatBinary(magnitude) : formatDecimal(magnitude, format));
}

/** `1024Mi` -> `1Gi`, `0.5` -> `500m`. Throws RangeError. */
export function canonicalQuantity(value: string | number): string {
  return formatQuantity(parseQuantity(value));
}

/** Negative, 0 or positive, as for `sort`. */
export function compareQuantities(a: string | number, b: string | number): number {
  const difference = parseQuantity(a).nanos - parseQuantity(b).nanos;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The sum in canonical form, written as the first one that is not zero. */
export function addQuantities(...values: (string | number)[]): string {
  const all = values.map(parseQuantity);
  const format = all.find((each) => each.nanos !== 0n)?.format ?? 'decimal';
  return formatQuantity({ nanos: all.reduce((sum, each) => sum + each.nanos, 0n), format });
}

/** `a - b`; may be negative. */
export function subtractQuantities(a: string | number, b: string | number): string {
  const [from, by] = [parseQuantity(a), parseQuantity(b)];
  return formatQuantity({ nanos: from.nanos - by.nanos, format: from.format });
}

/** Units as a number, with fractions: `100m` CPU -> 0.1, `1.5Gi` -> bytes. Throws RangeError. */
export function quantityNumber(value: string | number): number {
  return Number(parseQuantity(value).nanos) / Number(nanosPerUnit);
}

/** Whole units, rounded up: bytes of memory, or CPUs. */
export function quantityValue(value: string | number): number {
  return Number(divideUp(parseQuantity(value).nanos, nanosPerUnit));
}

/** Whole thousandths, rounded up: `0.5` CPU -> 500. */
export function quantityMilliValue(value: string | number): number {
  return Number(divideUp(parseQuantity(value).nanos, 1_000_000n));
}

function suffixOf(suffix: string): { format: Quantity['format']; tens: number; twos: number } {
  if (suffix in decimalSuffix) return { format: 'decimal', tens: decimalSuffix[suffix]!, twos: 0 };
  if (suffix in binarySuffix) return { format: 'binary', tens: 0, twos: binarySuffix[suffix]! };
  const exponent = /^[eE]([+-]?\d{1,3})$/.exec(suffix);
  if (!exponent) throw new RangeError("unable to parse quantity's suffix");
  return { format: 'exponent', tens: Math.max(-30, Math.min(30, Number(exponent[1]))), twos: 0 };
}

function formatBinary(magnitude: bigint): string {
  const isWhole = magnitude % nanosPerUnit === 0n;
  if (!isWhole || magnitude < 1024n * nanosPerUnit) return formatDecimal(magnitude, 'decimal');
  let number = magnitude / nanosPerUnit;
  let power = 0;
  while (number % 1024n === 0n && power < 6) {
    number /= 1024n;
    power++;
  }
  return `${number}${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'][power]}`;
}

function formatDecimal(magnitude: bigint, format: 'decimal' | 'exponent'): string {
  let number = magnitude;
  let tens = -9;
  while (number % 1000n === 0n && tens < 18) {
    number /= 1000n;
    tens += 3;
  }
  if (format === 'exponent') return tens === 0 ? `${number}` : `${number}e${tens}`;
  return `${number}${Object.keys(decimalSuffix).find((suffix) => decimalSuffix[suffix] === tens)}`;
}

function divideUp(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return quotient * b < a ? quotient + 1n : quotient;
}
