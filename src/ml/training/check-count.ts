/** @throws RangeError where an option is no whole number above 0. */
export function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${name} must be a whole number above 0, got ${value}`);
}
