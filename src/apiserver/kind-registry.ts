import { byPriority } from '../api/custom/definition/versions.ts';
import type { KindDefinition } from '../api/kind.ts';
import type { Resource } from './context.ts';

/** All that the server serves: the kinds that it was built with, and those that were made at run time. */
export class KindRegistry {
  readonly #builtIn: readonly Resource[];
  readonly #custom = new Map<string, readonly Resource[]>();
  readonly #resources = new Map<string, Resource>();
  #kinds: readonly KindDefinition[];
  #revision = 0;

  constructor(builtIn: readonly Resource[]) {
    this.#builtIn = builtIn;
    for (const resource of builtIn) this.#resources.set(nameOf(resource.kind), resource);
    this.#kinds = builtIn.map(({ kind }) => kind);
  }

  /** By `group/version/plural`; always the newest. */
  get resources(): ReadonlyMap<string, Resource> {
    return this.#resources;
  }

  /** The kinds that the server was built with, then the others by group, newest version first. */
  get kinds(): readonly KindDefinition[] {
    return this.#kinds;
  }

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /** The kind that the server was built with under that name, whatever its version. */
  builtIn(group: string, plural: string): KindDefinition | undefined {
    return this.#builtIn.find(({ kind }) => kind.group === group && kind.plural === plural)?.kind;
  }

  /** Kinds of a group that the server was built with. */
  builtInOf(group: string): KindDefinition[] {
    return this.#builtIn.map(({ kind }) => kind).filter((kind) => kind.group === group);
  }

  /** Serves these resources under the name of a definition, in place of those that it had before. */
  set(definition: string, resources: readonly Resource[]): void {
    for (const { kind } of this.#custom.get(definition) ?? []) this.#resources.delete(nameOf(kind));
    if (resources.length > 0) this.#custom.set(definition, resources);
    else this.#custom.delete(definition);
    for (const resource of resources) this.#resources.set(nameOf(resource.kind), resource);
    const custom = [...this.#custom.values()].flat().map(({ kind }) => kind);
    this.#kinds = [...this.#builtIn.map(({ kind }) => kind), ...custom.sort(inOrder)];
    this.#revision++;
  }
}

function nameOf({ group, version, plural }: KindDefinition): string {
  return `${group}/${version}/${plural}`;
}

function inOrder(a: KindDefinition, b: KindDefinition): number {
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return byPriority(a.version, b.version) || (a.plural < b.plural ? -1 : 1);
}
