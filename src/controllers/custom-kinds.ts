import {
  type CustomResourceDefinition,
  customResourceDefinition,
} from '../api/kinds/customResourceDefinition.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Change } from '../client/cache.ts';
import type { WorkQueue } from '../client/work-queue.ts';
import type { Source } from './controller.ts';
import type { Informers } from './informers.ts';

/** The kinds that were made at run time. */
export interface CustomKinds extends Source {
  /** Those that are followed now, each once. */
  kinds(): KindAddress[];
  /** The one that an owner reference of this version and kind means. */
  find(apiVersion: string, kind: string): KindAddress | undefined;
}

interface Followed {
  kind: KindAddress;
  /** The group and version of all served versions. */
  apiVersions: string[];
  detach: () => void;
}

/** Follows the objects of all custom resources, as their definitions come and go. */
export function customKinds(
  keysFor: (kind: KindAddress, change: Change<KubeObject>) => readonly string[],
  wants: (kind: KindAddress) => boolean = () => true,
  /** Which keys call for attention when a kind becomes known. */
  keysOnFollow: () => readonly string[] = () => [],
): CustomKinds {
  const followed = new Map<string, Followed>();

  const unfollow = (name: string, informers: Informers) => {
    const held = followed.get(name);
    if (!held) return;
    followed.delete(name);
    held.detach();
    informers.forget(held.kind);
  };
  const follow = (definition: CustomResourceDefinition, informers: Informers, queue: WorkQueue) => {
    const name = definition.metadata?.name ?? '';
    const kind = addressOf(definition);
    const held = followed.get(name);
    const apiVersions = definition.spec.versions
      .filter(({ served }) => served)
      .map(({ name: version }) => `${definition.spec.group}/${version}`);
    if (held && held.kind.version === kind?.version) held.apiVersions = apiVersions;
    else {
      unfollow(name, informers);
      if (!kind || !wants(kind)) return;
      const detach = informers.of(kind).onEvent((change) => {
        for (const key of keysFor(kind, change)) queue.add(key);
      });
      followed.set(name, { kind, apiVersions, detach });
      for (const key of keysOnFollow()) queue.add(key);
    }
  };

  return {
    kinds: () => [...followed.values()].map(({ kind }) => kind),
    find: (apiVersion, kind) =>
      [...followed.values()].find((each) => each.kind.kind === kind && each.apiVersions.includes(apiVersion))
        ?.kind,
    attach(informers, queue) {
      const definitions = informers.of(customResourceDefinition);
      const detach = definitions.onEvent(({ type, object }) => {
        if (type === 'deleted') unfollow(object.metadata?.name ?? '', informers);
        else follow(object, informers, queue);
      });
      return {
        synced: definitions.hasSynced(),
        detach() {
          detach();
          for (const name of [...followed.keys()]) unfollow(name, informers);
        },
      };
    },
  };
}

/** How to ask for the objects of a definition, if it is served: in the version that they are stored in, where possible. */
export function addressOf({ spec, status }: CustomResourceDefinition): KindAddress | undefined {
  const established = status?.conditions?.find(({ type }) => type === 'Established');
  // What is built in is followed as such.
  if (established?.status !== 'True' || established.reason === 'BuiltIn') return undefined;
  const served = spec.versions.filter((version) => version.served);
  const version = served.find(({ storage }) => storage) ?? served[0];
  if (!version) return undefined;
  const { kind, plural } = { ...spec.names, ...status?.acceptedNames };
  return { group: spec.group, version: version.name, kind, plural, namespaced: spec.scope === 'Namespaced' };
}
