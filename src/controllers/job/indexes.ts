/** Completion indexes as a Job's status writes them: `1,3-5,7`. Numbers that are no index are passed over. */
export function parseIndexes(text: string | undefined, below = Number.POSITIVE_INFINITY): Set<number> {
  const indexes = new Set<number>();
  for (const part of text ? text.split(',') : []) {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    for (let index = first; index <= last && index < below; index++) indexes.add(index);
  }
  return indexes;
}

/** Undoes `parseIndexes`; two neighbours are written apart, more as a range, as Kubernetes does. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const parts: string[] = [];
  const sorted = [...indexes].sort((a, b) => a - b);
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    if (end > at + 1) parts.push(`${sorted[at]}-${sorted[end]}`);
    else parts.push(...sorted.slice(at, end + 1).map(String));
    at = end + 1;
  }
  return parts.join(',');
}
