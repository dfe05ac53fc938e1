import type { ObjectMeta } from '../../../api/object.ts';
import type { Container } from '../../../api/parts/container.ts';
import type { PodSpec } from '../../../api/parts/podSpec.ts';

/** A pod, or the template of one. */
export interface Checked {
  metadata: ObjectMeta;
  spec: PodSpec;
  /** Init containers, containers and ephemeral containers, in this order. */
  containers: Container[];
}

/** What forbids a pod: `reason (detail)`. */
export interface Forbidden {
  reason: string;
  detail: string;
}

export type Check = (pod: Checked) => Forbidden | undefined;

export function checkedOf(metadata: ObjectMeta | undefined, spec: PodSpec): Checked {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = spec;
  // An ephemeral container has the fields of a container that are looked at here.
  const all = [...initContainers, ...containers, ...(ephemeralContainers as unknown as Container[])];
  return { metadata: metadata ?? {}, spec, containers: all };
}

/** `container "a"` or `containers "a", "b"`. */
export function named(what: string, names: readonly string[]): string {
  return `${plural(what, names.length)} ${quoted(names)}`;
}

export function plural(what: string, count: number): string {
  return count === 1 ? what : `${what}s`;
}

export function quoted(texts: Iterable<string>): string {
  return [...texts].map((text) => JSON.stringify(text)).join(', ');
}

/** The names of the containers for which this is so. */
export function namesWhere({ containers }: Checked, is: (container: Container) => boolean): string[] {
  return containers.filter(is).map(({ name }) => name);
}
