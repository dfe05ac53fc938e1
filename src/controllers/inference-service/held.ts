import type { Node } from '../../api/kinds/node.ts';
import type { Change } from '../../client/cache.ts';
import { heldAnnotation, parseHeld } from '../../mesh/held-services.ts';

/** When we begin, or a node does, only what was told this recently is news; afterwards whatever has changed is. */
const freshMs = 60_000;

/** Services, `namespace/name`, that a node has just said requests wait for. Its clock may differ from ours. */
export function newlyHeld(change: Change<Node>, nowMs: number): string[] {
  if (change.type === 'deleted') return [];
  const text = change.object.metadata?.annotations?.[heldAnnotation];
  const previous =
    change.type === 'modified' ? change.previous.metadata?.annotations?.[heldAnnotation] : undefined;
  if (text === undefined || text === previous) return [];
  const before = parseHeld(previous);
  const isNews = (service: string, time: string) =>
    change.type === 'modified' ? before.get(service) !== time : Math.abs(nowMs - Date.parse(time)) < freshMs;
  return [...parseHeld(text)].flatMap(([service, time]) => (isNews(service, time) ? [service] : []));
}
