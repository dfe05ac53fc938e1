/** The list without the values that the patch names. */
export function deleteFrom(list: unknown, values: unknown): unknown[] {
  const doomed = Array.isArray(values) ? values : [];
  return (Array.isArray(list) ? list : []).filter((item) => !doomed.includes(item));
}

/**
 * `list` in the order that the patch asks for. Items that the patch's author did not know of keep their place
 * relative to their neighbours in `before`.
 */
export function orderLike(list: unknown[], order: unknown[], before: unknown[], key: string): unknown[] {
  const idOf = (item: unknown) => (key === '' ? item : (item as Record<string, unknown> | null)?.[key]);
  const wanted = new Map(order.map((item, index) => [idOf(item), index]));
  const served = new Map(before.map((item, index) => [idOf(item), index]));
  const known = list
    .filter((item) => wanted.has(idOf(item)))
    .sort((a, b) => wanted.get(idOf(a))! - wanted.get(idOf(b))!);
  const others = list.filter((item) => !wanted.has(idOf(item)));
  const ordered: unknown[] = [];
  let next = 0;
  for (const item of known) {
    const place = served.get(idOf(item));
    while (next < others.length && place !== undefined && servedBefore(others[next], place))
      ordered.push(others[next++]);
    ordered.push(item);
  }
  return [...ordered, ...others.slice(next)];

  function servedBefore(other: unknown, place: number): boolean {
    const otherPlace = served.get(idOf(other));
    return otherPlace !== undefined && otherPlace < place;
  }
}
