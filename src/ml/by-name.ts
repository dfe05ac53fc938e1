import { ShapeError } from './shape.ts';

/** Something for each of several inputs or outputs: in their order, or by name. */
export type Each<T> = readonly T[] | Readonly<Record<string, T>>;

/** What is given for each of `names`, in their order.
 * @throws ShapeError where one is missing or nobody knows it; `hint` says what may be done. */
export function eachOf<T>(names: readonly string[], given: Each<T>, what: string, hint = ''): T[] {
  const quoted = (list: readonly string[]) => list.map((name) => `"${name}"`).join(', ');
  if (isList(given)) {
    if (given.length === names.length) return [...given];
    throw new ShapeError(`${what}: got ${given.length} for the ${names.length} ${quoted(names)}${hint}`);
  }
  const keys = Object.keys(given);
  if (keys.length === names.length && names.every((name) => Object.hasOwn(given, name)))
    return names.map((name) => given[name]!);
  throw new ShapeError(`${what}: got ${quoted(keys) || 'none'} for ${quoted(names)}${hint}`);
}

const isList = <T>(given: Each<T>): given is readonly T[] => Array.isArray(given);
