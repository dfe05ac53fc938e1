import { CelError } from '../source.ts';
import { boolType, optionalOf, parameter } from '../types.ts';
import {
  CelList,
  CelMap,
  CelOptional,
  Duration,
  noneOptional,
  Timestamp,
  Uint,
  type Value,
} from '../values.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';

const v = parameter('V');
const optional = optionalOf(v);

const orElse = (x: CelOptional, y: Value): Value => (x.value === undefined ? y : x.value);

export const optionalLibrary = library(
  fn('optional.of', 'optional_of', [v], optional, (x: Value) => new CelOptional(x)),
  fn('optional.ofNonZeroValue', 'optional_ofNonZeroValue', [v], optional, (x: Value) =>
    isZero(x) ? noneOptional : new CelOptional(x),
  ),
  fn('optional.none', 'optional_none', [], optional, () => noneOptional),
  member('value', 'optional_value', [optional], v, ({ value }: CelOptional) => {
    if (value === undefined) throw new CelError('optional.none() dereference');
    return value;
  }),
  member(
    'hasValue',
    'optional_hasValue',
    [optional],
    boolType,
    ({ value }: CelOptional) => value !== undefined,
  ),
  // The planner leaves the argument alone where it is not needed.
  member('or', 'optional_or_optional', [optional, optional], optional, (x: CelOptional, y: CelOptional) =>
    x.value === undefined ? y : x,
  ),
  member('orValue', 'optional_orValue_value', [optional, v], v, orElse),
);

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === 0n || value === '') return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof CelList || value instanceof CelMap) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Timestamp) return value.nanos === -62135596800000000000n;
  return value instanceof CelOptional && value.value === undefined;
}
