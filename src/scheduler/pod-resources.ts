import type { Pod } from '../api/kinds/pod.ts';
import type { Container } from '../api/parts/container.ts';
import { quantityMilliValue, quantityValue } from '../api/quantity.ts';

/** Whole amounts by resource name: thousandths of a core for `cpu`, else bytes or pieces. */
export type Resources = ReadonlyMap<string, number>;

/** What a container without requests counts when nodes are compared (never when they are filtered). */
const assumedCpuMilli = 100;
const assumedMemoryBytes = 200 * 1024 * 1024;
/** Different requests that are remembered, so that pods made from one template share theirs. */
export const internedMax = 1024;

const interned = new Map<string, Resources>();

/**
 * What a pod asks of its node: all containers together, or the largest step of its initialisation if that is more,
 * plus its overhead. What `spec.resources` asks for the pod as a whole takes the place of its containers' sum.
 * https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
 */
export function podRequests(pod: Pod): Resources {
  return intern(addUp(pod, (container) => container.resources?.requests));
}

/** Like `podRequests`, with something for the containers that ask for nothing, so that they spread too. */
export function assumedRequests(pod: Pod): { cpu: number; memory: number } {
  const total = addUp(pod, ({ resources }) => ({
    cpu: `${assumedCpuMilli}m`,
    memory: String(assumedMemoryBytes),
    ...resources?.requests,
  }));
  return { cpu: total.get('cpu') ?? 0, memory: total.get('memory') ?? 0 };
}

/** A quantity of the named resource, as `Resources` counts it. */
export function amountOf(name: string, quantity: string): number {
  return name === 'cpu' ? quantityMilliValue(quantity) : quantityValue(quantity);
}

export function resourcesOf(quantities: Readonly<Record<string, string>> | undefined): Resources {
  const amounts = new Map<string, number>();
  for (const name in quantities) amounts.set(name, amountOf(name, quantities[name]!));
  return amounts;
}

type Asked = (container: Container) => Readonly<Record<string, string>> | undefined;

function addUp(pod: Pod, askedBy: Asked): Map<string, number> {
  const running = new Map<string, number>();
  const largestInit = new Map<string, number>();
  const sidecars = new Map<string, number>();
  for (const container of pod.spec?.containers ?? []) addTo(running, askedBy(container));
  for (const container of pod.spec?.initContainers ?? []) {
    const step = new Map(sidecars);
    addTo(step, askedBy(container));
    // A restartable init container goes on running beside all that follow.
    if (container.restartPolicy === 'Always') addTo(sidecars, askedBy(container));
    raiseTo(largestInit, step);
  }
  for (const [name, amount] of sidecars) running.set(name, (running.get(name) ?? 0) + amount);
  raiseTo(running, largestInit);
  for (const [name, amount] of resourcesOf(pod.spec?.resources?.requests)) running.set(name, amount);
  addTo(running, pod.spec?.overhead);
  return running;
}

function addTo(total: Map<string, number>, requests: Readonly<Record<string, string>> | undefined): void {
  for (const name in requests) total.set(name, (total.get(name) ?? 0) + amountOf(name, requests[name]!));
}

function raiseTo(total: Map<string, number>, floor: Resources): void {
  for (const [name, amount] of floor) total.set(name, Math.max(total.get(name) ?? 0, amount));
}

function intern(resources: Resources): Resources {
  const key = [...resources].map((entry) => entry.join('=')).join();
  const known = interned.get(key);
  if (known) return known;
  if (interned.size >= internedMax) interned.clear();
  interned.set(key, resources);
  return resources;
}
