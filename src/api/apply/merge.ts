import type { SchemaNode } from '../schema.ts';
import { type Fields, isEmpty, itemsByElement, memberSchema, structureOf } from './structure.ts';

/** `live` with what `config` says on top; shares parts with both. Throws RangeError for items without or with twice the same key. */
export function merge(schema: SchemaNode | undefined, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  if (live === undefined && structureOf(schema, config) === 'leaf') return config;
  const structure = structureOf(schema, config);
  if (structure === 'leaf' || (live !== undefined && structureOf(schema, live) !== structure)) return config;
  if (structure === 'set' || structure === 'keyed') {
    return mergeItems(schema!, (live ?? []) as unknown[], config as unknown[]);
  }
  // An empty map says nothing about the entries of another.
  if (live !== undefined && isEmpty(config as object)) return live;
  const merged = new Map(Object.entries((live ?? {}) as Fields));
  for (const [name, member] of Object.entries(config as Fields)) {
    merged.set(name, merge(memberSchema(schema, name), merged.get(name), member));
  }
  return Object.fromEntries(merged);
}

function mergeItems(schema: SchemaNode, live: unknown[], config: unknown[]): unknown[] {
  const held = itemsByElement(schema, live);
  const wanted = itemsByElement(schema, config);
  for (const [element, items] of wanted) {
    if (items.length > 1) throw new RangeError(`duplicate entries for key ${element.slice(2)}`);
  }
  const merged: unknown[] = [];
  for (const element of ordered([...held.keys()], [...wanted.keys()])) {
    const [item] = wanted.get(element) ?? [];
    const before = held.get(element) ?? [];
    if (item === undefined) merged.push(...before);
    else merged.push(schema.listType === 'set' ? item : merge(schema.item, before[0], item));
  }
  return merged;
}

/** The order of the configuration; what only the live list has stays before what it stood before. */
function ordered(live: string[], config: string[]): string[] {
  const wanted = new Set(config);
  const order: string[] = [];
  let next = 0;
  const takeUntil = (isEnd: (element: string) => boolean) => {
    while (next < live.length && !isEnd(live[next]!)) {
      const element = live[next++]!;
      if (!wanted.has(element)) order.push(element);
    }
  };
  const places = new Map(live.map((element, place) => [element, place]));
  for (const element of config) {
    const place = places.get(element);
    if (place === undefined) takeUntil((other) => wanted.has(other));
    else if (place >= next) {
      takeUntil((other) => other === element);
      next++;
    }
    order.push(element);
  }
  takeUntil(() => false);
  return order;
}
