/** Whether every field of `wanted` has the same value in `actual`, which may have more. Lists must agree wholly. */
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
