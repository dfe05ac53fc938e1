import { parseQuantity, type Quantity } from '../../quantity.ts';
import { CelError } from '../source.ts';
import { boolType, doubleType, intType, opaque, stringType } from '../types.ts';
import { OpaqueValue, type Value } from '../values.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';

const perUnit = 1_000_000_000n;
const quantity = opaque('kubernetes.Quantity');

class QuantityValue extends OpaqueValue {
  readonly typeName = 'kubernetes.Quantity';
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    super();
    this.nanos = nanos;
  }
  equals(other: Value): boolean {
    return other instanceof QuantityValue && other.nanos === this.nanos;
  }
}

const read = (text: string): Quantity | undefined => {
  try {
    return parseQuantity(text);
  } catch {
    return undefined;
  }
};

const isWhole = ({ nanos }: QuantityValue) =>
  nanos % perUnit === 0n && BigInt.asIntN(64, nanos / perUnit) === nanos / perUnit;
const compare = (x: QuantityValue, y: QuantityValue) =>
  x.nanos < y.nanos ? -1n : x.nanos > y.nanos ? 1n : 0n;
const both = [quantity, quantity];
const withInt = [quantity, intType];

/** Kubernetes' quantities, such as `quantity('1Gi')`. */
export const quantityLibrary = library(
  fn('quantity', 'string_to_quantity', [stringType], quantity, (text: string) => {
    const parsed = read(text);
    if (!parsed) {
      throw new CelError(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      );
    }
    return new QuantityValue(parsed.nanos);
  }),
  fn('isQuantity', 'is_quantity_string', [stringType], boolType, (text: string) => read(text) !== undefined),
  member('sign', 'quantity_sign', [quantity], intType, ({ nanos }: QuantityValue) =>
    nanos > 0n ? 1n : nanos < 0n ? -1n : 0n,
  ),
  member('isInteger', 'quantity_is_integer', [quantity], boolType, isWhole),
  member('asInteger', 'quantity_as_integer', [quantity], intType, (x: QuantityValue) => {
    if (!isWhole(x)) throw new CelError('cannot convert value to integer');
    return x.nanos / perUnit;
  }),
  member(
    'asApproximateFloat',
    'quantity_get_float',
    [quantity],
    doubleType,
    ({ nanos }: QuantityValue) => Number(nanos) / Number(perUnit),
  ),
  member(
    'isGreaterThan',
    'quantity_is_greater_than',
    both,
    boolType,
    (x: QuantityValue, y: QuantityValue) => x.nanos > y.nanos,
  ),
  member(
    'isLessThan',
    'quantity_is_less_than',
    both,
    boolType,
    (x: QuantityValue, y: QuantityValue) => x.nanos < y.nanos,
  ),
  member('compareTo', 'quantity_compare_to', both, intType, compare),
  member(
    'add',
    'quantity_add',
    both,
    quantity,
    (x: QuantityValue, y: QuantityValue) => new QuantityValue(x.nanos + y.nanos),
  ),
  member(
    'add',
    'quantity_add_int',
    withInt,
    quantity,
    (x: QuantityValue, y: bigint) => new QuantityValue(x.nanos + y * perUnit),
  ),
  member(
    'sub',
    'quantity_sub',
    both,
    quantity,
    (x: QuantityValue, y: QuantityValue) => new QuantityValue(x.nanos - y.nanos),
  ),
  member(
    'sub',
    'quantity_sub_int',
    withInt,
    quantity,
    (x: QuantityValue, y: bigint) => new QuantityValue(x.nanos - y * perUnit),
  ),
);
