import { StatusError } from '../base/errors.ts';

/** Deeper lists are no tensor, and would only exhaust the stack. */
export const dimensionsMax = 32;

/** The shape of nested lists, as their first elements tell it; a bare value has the shape []. */
export function shapeOfNested(value: unknown, where: string): number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) {
    shape.push(inner.length);
    if (shape.length > dimensionsMax)
      throw new StatusError('BadRequest', `${where}: lists are nested more than ${dimensionsMax} deep`);
    if (inner.length === 0) break;
  }
  return shape;
}

/** The elements of nested lists in row-major order. Throws BadRequest if a list has not the length that `shape` says. */
export function flattenNested(value: unknown, shape: number[], where: string): unknown[] {
  const flat: unknown[] = [];
  function visit(inner: unknown, depth: number): void {
    if (depth === shape.length) {
      flat.push(inner);
      return;
    }
    if (!Array.isArray(inner) || inner.length !== shape[depth]) {
      const got = Array.isArray(inner) ? `one of ${inner.length}` : shown(inner);
      throw new StatusError(
        'BadRequest',
        `${where}: the lists are ragged: expected a list of ${shape[depth]} at depth ${depth}, got ${got}`,
      );
    }
    for (const element of inner) visit(element, depth + 1);
  }
  visit(value, 0);
  return flat;
}

/** Row-major elements as nested lists of `shape`; of shape [], the element itself. */
export function nest(flat: unknown[], shape: number[]): unknown {
  if (shape.length === 0) return flat[0];
  let lists = flat;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const extent = shape[axis]!;
    const count = shape.slice(0, axis).reduce((product, each) => product * each, 1);
    const inner = lists;
    lists = Array.from({ length: count }, (_, i) => inner.slice(i * extent, (i + 1) * extent));
  }
  return lists;
}

/** A value of a request for an error message: short, whatever it is. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(JSON.stringify(value)).slice(0, 100);
}
