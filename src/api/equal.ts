/** Whether two JSON values say the same; an absent field equals an undefined one. */
export function isEqualJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => isEqualJson(item, b[index]))
    );
  }
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => isEqualJson(left[key], right[key]));
}

/** Whether every field of `wanted` has the same value in `actual`, which may have more. Lists must be equally long. */
export function isContained(wanted: unknown, actual: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || actual.length !== wanted.length) return false;
    return wanted.every((each, at) => isContained(each, actual[at]));
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === actual;
  if (typeof actual !== 'object' || actual === null) return Object.keys(wanted).length === 0;
  return Object.entries(wanted).every(([key, value]) =>
    value === undefined ? true : isContained(value, (actual as Record<string, unknown>)[key]),
  );
}

/** As `isEqualJson`, and null, absent, `[]` and `{}` are all the same nothing (Go's `semantic.DeepEqual`). */
export function isEqualSemantically(a: unknown, b: unknown): boolean {
  return isEqualJson(withoutNothing(a), withoutNothing(b));
}

function withoutNothing(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value ?? undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(withoutNothing);
  const kept = Object.entries(value)
    .map(([key, field]) => [key, withoutNothing(field)] as const)
    .filter(([, field]) => field !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}
