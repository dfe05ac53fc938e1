import { type FieldSet, leaf } from './field-set.ts';
import { keyElement } from './structure.ts';

/** Deeper sets than this are refused; no kind nests half as deep. */
export const fieldSetDepthMax = 100;

/** A set that a client wrote, in canonical form; undefined for an empty one. Throws RangeError for what is no FieldsV1. */
export function readFieldSet(value: unknown, depth = 0): FieldSet | undefined {
  if (depth > fieldSetDepthMax) throw new RangeError(`nests deeper than ${fieldSetDepthMax} levels`);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw new RangeError('expected an object');
  const set: Record<string, FieldSet> = {};
  for (const [element, below] of Object.entries(value)) {
    if (element === '.' && depth > 0) set['.'] = leaf;
    else set[canonical(element)] = readFieldSet(below ?? {}, depth + 1) ?? leaf;
  }
  const elements = Object.keys(set);
  if (elements.length === 0 || (elements.length === 1 && elements[0] === '.')) {
    return depth === 0 ? undefined : leaf;
  }
  return set;
}

function canonical(element: string): string {
  const [prefix, rest] = [element.slice(0, 2), element.slice(2)];
  switch (prefix) {
    case 'f:':
      return element;
    case 'k:': {
      const keys: unknown = parsed(element, rest);
      if (typeof keys === 'object' && keys !== null && !Array.isArray(keys)) {
        return keyElement(keys as Record<string, unknown>);
      }
      break;
    }
    case 'v:':
      return `v:${JSON.stringify(parsed(element, rest))}`;
    case 'i:':
      if (/^\d{1,9}$/.test(rest)) return element;
      break;
    default:
  }
  throw new RangeError(`${JSON.stringify(element)} is no path element`);
}

function parsed(element: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new RangeError(`${JSON.stringify(element)} is no path element`);
  }
}
