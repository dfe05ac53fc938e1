/*
 * kube-controller-manager's defaults:
 * https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction
 */

/** --node-eviction-rate and --secondary-node-eviction-rate: nodes a second in each zone. */
const evictionRate = 0.1;
const secondaryEvictionRate = 0.01;
/** --large-cluster-size-threshold: in smaller zones that are unwell nobody is evicted. */
const largeZoneNodes = 50;
/** --unhealthy-zone-threshold. */
const unhealthyShare = 0.55;

export type ZoneHealth = 'normal' | 'partialDisruption' | 'fullDisruption';

export function zoneHealth({ ready, notReady }: { ready: number; notReady: number }): ZoneHealth {
  if (ready === 0 && notReady > 0) return 'fullDisruption';
  if (notReady > 2 && notReady / (ready + notReady) >= unhealthyShare) return 'partialDisruption';
  return 'normal';
}

/** How many nodes a second may lose their pods, by the size of the zone. */
export const evictionRates: Record<ZoneHealth, (nodes: number) => number> = {
  normal: () => evictionRate,
  partialDisruption: (nodes) => (nodes > largeZoneNodes ? secondaryEvictionRate : 0),
  fullDisruption: () => evictionRate,
};
