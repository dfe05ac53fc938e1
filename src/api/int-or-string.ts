/** What is wrong with `value` as a count or a percentage, in Kubernetes' words. */
export function intOrPercentErrors(value: number | string): string[] {
  if (typeof value === 'number') return value < 0 ? ['must be greater than or equal to 0'] : [];
  if (/^[0-9]+%$/.test(value)) return [];
  return [
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
  ];
}

/** A count as it is, a percentage as its share of `total`. Throws RangeError for any other text. */
export function scaledValue(value: number | string, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value);
  if (!percent)
    throw new RangeError(`invalid value for IntOrString: invalid type: string is not a percentage: ${value}`);
  const share = (Number(percent[1]) * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
