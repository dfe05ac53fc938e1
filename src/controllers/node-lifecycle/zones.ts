import type { Node } from '../../api/kinds/node.ts';
import type { Clock } from '../../base/clock.ts';
import { evictionRates, zoneHealth } from './zone-health.ts';

/** A node as its zone counts it: one that never reported anything says nothing of its zone. */
export type Standing = 'ready' | 'notReady' | 'unheard';

interface Zone {
  nodes: Map<string, Standing>;
  ready: number;
  notReady: number;
  tokens: number;
  atMs: number;
}

const zoneLabel = 'topology.kubernetes.io/zone';
const regionLabel = 'topology.kubernetes.io/region';

/**
 * How the zones fare, and how fast nodes in each may lose their pods: of nodes that fall silent together it is likelier
 * that a link or we ourselves are cut off.
 */
export class Zones {
  #clock: Clock;
  #zones = new Map<string, Zone>();
  #zoneOf = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  observe(node: Node, standing: Standing): void {
    const name = node.metadata?.name ?? '';
    const key = keyOf(node);
    const known = this.#zoneOf.get(name);
    if (known === key && this.#zones.get(key)?.nodes.get(name) === standing) return;
    this.forget(name);
    const zone = this.#zones.get(key) ?? this.#open(key);
    zone.nodes.set(name, standing);
    count(zone, standing, 1);
    this.#zoneOf.set(name, key);
  }

  forget(name: string): void {
    const key = this.#zoneOf.get(name);
    const zone = key === undefined ? undefined : this.#zones.get(key);
    if (!zone) return;
    count(zone, zone.nodes.get(name)!, -1);
    zone.nodes.delete(name);
    this.#zoneOf.delete(name);
    if (zone.nodes.size === 0) this.#zones.delete(key!);
  }

  /** Whether no node of any zone is ready: then nobody is evicted at all. */
  get areAllDown(): boolean {
    const zones = [...this.#zones.values()].filter(({ ready, notReady }) => ready + notReady > 0);
    return zones.length > 0 && zones.every((zone) => zoneHealth(zone) === 'fullDisruption');
  }

  /** How long a node has to wait before it may lose its pods, in ms: 0 takes its turn, Infinity while its zone is unwell. */
  takeTurn(name: string): number {
    const zone = this.#zones.get(this.#zoneOf.get(name) ?? '');
    if (!zone) return 0;
    const perSecond = evictionRates[zoneHealth(zone)](zone.nodes.size);
    const nowMs = this.#clock.nowMs();
    zone.tokens = Math.min(1, zone.tokens + ((nowMs - zone.atMs) / 1000) * perSecond);
    zone.atMs = nowMs;
    if (perSecond === 0) return Number.POSITIVE_INFINITY;
    if (zone.tokens < 1) return Math.ceil(((1 - zone.tokens) / perSecond) * 1000);
    zone.tokens -= 1;
    return 0;
  }

  #open(key: string): Zone {
    const zone = { nodes: new Map(), ready: 0, notReady: 0, tokens: 1, atMs: this.#clock.nowMs() };
    this.#zones.set(key, zone);
    return zone;
  }
}

function count(zone: Zone, standing: Standing, by: 1 | -1): void {
  if (standing !== 'unheard') zone[standing] += by;
}

function keyOf({ metadata }: Node): string {
  return `${metadata?.labels?.[regionLabel] ?? ''}:${metadata?.labels?.[zoneLabel] ?? ''}`;
}
