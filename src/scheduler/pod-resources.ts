import type { Pod } from '../api/kinds/pod.ts';
import { quantityNumber } from '../api/quantity.ts';

/** Amounts by resource name: cores, bytes or pieces. */
export type Resources = ReadonlyMap<string, number>;

/** What a container without requests counts when nodes are compared (never when they are filtered). */
const assumedCpu = 0.1;
const assumedMemoryBytes = 200 * 1024 * 1024;

/**
 * What a pod asks of its node: all containers together, or the largest step of its initialisation if that is more,
 * plus its overhead. https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
 */
export function podRequests(pod: Pod): Resources {
  const running = new Map<string, number>();
  const largestInit = new Map<string, number>();
  const sidecars = new Map<string, number>();
  for (const container of pod.spec?.containers ?? []) addTo(running, container.resources?.requests);
  for (const container of pod.spec?.initContainers ?? []) {
    const step = new Map(sidecars);
    addTo(step, container.resources?.requests);
    // A restartable init container goes on running beside all that follow.
    if (container.restartPolicy === 'Always') addTo(sidecars, container.resources?.requests);
    raiseTo(largestInit, step);
  }
  for (const [name, amount] of sidecars) running.set(name, (running.get(name) ?? 0) + amount);
  raiseTo(running, largestInit);
  addTo(running, pod.spec?.overhead);
  return running;
}

/** Like `podRequests`, with something for the containers that ask for nothing, so that they spread too. */
export function assumedRequests(pod: Pod): { cpu: number; memory: number } {
  const containers = pod.spec?.containers ?? [];
  const sum = (name: string, otherwise: number) =>
    containers.reduce((total, { resources }) => {
      const requested = resources?.requests?.[name];
      return total + (requested === undefined ? otherwise : amountOf(requested));
    }, 0);
  return { cpu: sum('cpu', assumedCpu), memory: sum('memory', assumedMemoryBytes) };
}

function addTo(total: Map<string, number>, requests: Readonly<Record<string, string>> | undefined): void {
  for (const [name, quantity] of Object.entries(requests ?? {})) {
    total.set(name, (total.get(name) ?? 0) + amountOf(quantity));
  }
}

function raiseTo(total: Map<string, number>, floor: Resources): void {
  for (const [name, amount] of floor) total.set(name, Math.max(total.get(name) ?? 0, amount));
}

/** A quantity as a number of cores, bytes or pieces. */
export function amountOf(quantity: string | undefined): number {
  return quantity === undefined ? 0 : quantityNumber(quantity);
}
