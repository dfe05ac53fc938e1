import { StatusError } from '../../base/errors.ts';
import { cannotUnmarshal } from '../go-json.ts';

/** The object after an RFC 7386 merge patch; the given one stays as it is. Throws BadRequest for what is no object. */
export function mergePatch<T extends object>(object: T, patch: unknown): T {
  if (patch === null) throw new StatusError('BadRequest', 'Invalid JSON Patch');
  if (!isObject(patch)) {
    const why = cannotUnmarshal(patch, 'map[string]interface {}');
    throw new StatusError('BadRequest', `error decoding patch: ${why}`);
  }
  return merge(object, patch) as T;
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return structuredClone(patch);
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, merge(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
