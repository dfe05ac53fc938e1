/** A copy of a JSON value that shares nothing with it; several times as fast as `structuredClone`. */
export function clone<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clone) as T;
  const copy: Record<string, unknown> = {};
  for (const name in value) {
    // Plain assignment to `__proto__` would change the prototype instead.
    if (name === '__proto__') define(copy, name, clone(value[name]));
    else copy[name] = clone(value[name]);
  }
  return copy as T;
}

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
