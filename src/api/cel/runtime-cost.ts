import { codePoints } from './functions/operators.ts';
import { CelList, CelMap, OpaqueValue, type Value } from './values.ts';

/** What a character costs that is read, and one of a regular expression (cel-go's common/cost.go). */
export const perCharacter = 0.1;
export const perPatternCharacter = 0.25;
export const listCost = 10;
export const mapCost = 30;

/** An authorization check is dear: an expression can make two. */
export const checkCost = 350_000;

/** cel-go's `size` of a value, 1 for what has none. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return codePoints(value);
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof CelList || value instanceof CelMap) return value.size;
  return value instanceof OpaqueValue && value.typeName.startsWith('net.') ? 4 : 1;
}

const read = (value: Value) => Math.ceil(sizeOf(value) * perCharacter);

type Cost = (args: readonly Value[], result: Value) => number;

const readFirst: Cost = (args) => read(args[0]!);
const readTwice: Cost = (args) => Math.ceil(sizeOf(args[0]!) * 2 * perCharacter);
const traverse: Cost = ([list]) => (list instanceof CelList ? sizeOf(list) : read(list!));
const matching: Cost = ([text, pattern]) =>
  Math.ceil((1 + sizeOf(text!)) * perCharacter) * Math.ceil(sizeOf(pattern!) * perPatternCharacter);
const smaller: Cost = ([x, y]) => Math.ceil(Math.min(sizeOf(x!), sizeOf(y!)) * perCharacter);
const both: Cost = ([x, y]) => Math.ceil((sizeOf(x!) + sizeOf(y!)) * perCharacter);

/** By function, as Kubernetes' library charges. */
const ofFunctions: Record<string, Cost> = {
  check: () => checkCost,
  ...Object.fromEntries(
    ['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'].map((name) => [name, traverse]),
  ),
  ...Object.fromEntries(
    [
      'url',
      'lowerAscii',
      'upperAscii',
      'substring',
      'trim',
      'cidr',
      'isIP',
      'isCIDR',
      'ip',
      'quantity',
      'isQuantity',
    ].map((name) => [name, readFirst]),
  ),
  ...Object.fromEntries(['replace', 'split', 'ip.isCanonical'].map((name) => [name, readTwice])),
  join: (_, result) => Math.ceil(sizeOf(result) * 2 * perCharacter),
  find: matching,
  findAll: matching,
  containsIP: ([cidr, other]) =>
    Math.ceil(2 * sizeOf(cidr!) * perCharacter) + (typeof other === 'string' ? read(other) : 0),
  containsCIDR: ([cidr, other]) =>
    Math.ceil(2 * sizeOf(cidr!) * perCharacter) +
    read(cidr!) +
    1 +
    (typeof other === 'string' ? read(other) : 0),
  validate: readFirst,
};

/** By overload, as cel-go charges. */
const ofOverloads: Record<string, Cost> = {
  starts_with_string: readFirst,
  ends_with_string: readFirst,
  string_to_bytes: readFirst,
  bytes_to_string: readFirst,
  in_list: ([, list]) => sizeOf(list!),
  equals: smaller,
  not_equals: smaller,
  ...Object.fromEntries(
    ['less', 'less_equals', 'greater', 'greater_equals'].flatMap((relation) => [
      [`${relation}_string`, smaller],
      [`${relation}_bytes`, smaller],
    ]),
  ),
  add_string: both,
  add_bytes: both,
  matches_string: matching,
  matches: matching,
  contains_string: ([text, part]) => read(text!) * read(part!),
};

/** What calling the function costs; undefined where it is always 1. */
export function costOfCall(functionName: string, overload: string): Cost | undefined {
  if (overload === 'cidr_ip') return undefined;
  return ofFunctions[functionName] ?? ofOverloads[overload];
}
