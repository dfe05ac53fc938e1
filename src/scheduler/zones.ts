import type { NodeState } from './node-state.ts';

export const zoneLabel = 'topology.kubernetes.io/zone';
const regionLabel = 'topology.kubernetes.io/region';
export const hostnameLabel = 'kubernetes.io/hostname';

export function zoneOf({ labels }: NodeState): string {
  return `${labels[regionLabel] ?? ''}\0${labels[zoneLabel] ?? ''}`;
}

/** One node of each zone in turn, so that whoever looks at the first few has seen all zones. */
export function interleaveZones(states: readonly NodeState[]): NodeState[] {
  const zones = new Map<string, NodeState[]>();
  for (const state of states) {
    const zone = zones.get(zoneOf(state));
    if (zone) zone.push(state);
    else zones.set(zoneOf(state), [state]);
  }
  if (zones.size <= 1) return [...states];
  const lists = [...zones.values()];
  const longest = Math.max(...lists.map(({ length }) => length));
  const order: NodeState[] = [];
  for (let index = 0; index < longest; index++) {
    for (const list of lists) if (index < list.length) order.push(list[index]!);
  }
  return order;
}
