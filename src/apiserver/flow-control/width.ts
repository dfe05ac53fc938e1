import { isTrue, type ResourceInfo } from '../request-info.ts';

/** Kubernetes' own numbers. */
const objectsPerSeat = 100;
export const seatsMax = 10;
/** A list wider than that share of its level would stand in the way of everybody else. */
const levelShareMax = 0.15;

/**
 * How many seats a request takes: a list, and a watch that begins with one, as many as it has hundreds of objects to
 * go through; all others one.
 */
export function widthOf(
  info: ResourceInfo | undefined,
  query: URLSearchParams,
  { levelSeats, count }: { levelSeats: number; count: (info: ResourceInfo) => number },
): number {
  if (!info || info.name !== undefined) return 1;
  const isLongWatch = info.verb === 'watch' && isTrue(query.get('sendInitialEvents'));
  if (info.verb !== 'list' && !isLongWatch) return 1;
  if (/(?:^|,)metadata\.name=[^,]+/.test(query.get('fieldSelector') ?? '')) return 1;
  const stored = count(info);
  const asked = Number(query.get('limit')) || stored;
  const limit = Math.min(asked, stored);
  const isSelected = query.get('labelSelector') || query.get('fieldSelector');
  // Our lists are always read from the store, page by page.
  const touched = isSelected ? stored : limit;
  const max = Math.max(1, Math.min(seatsMax, Math.floor(levelSeats * levelShareMax)));
  return Math.min(max, Math.max(1, Math.ceil(touched / objectsPerSeat)));
}
