import type { KindDefinition } from '../../api/kind.ts';
import type { CustomResourceDefinition } from '../../api/kinds/customResourceDefinition.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import type { CrossVersionObjectReference } from '../../api/parts/metricSpec.ts';
import { addressOf } from '../custom-kinds.ts';

/** What every kind answers under its subresource `scale`. */
export interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas?: number; selector?: string };
}

/** The kind that a reference names: one that is built in, or one that a definition declares. Throws when there is none. */
export function targetKind(
  { apiVersion = '', kind }: CrossVersionObjectReference,
  {
    kinds,
    definitions,
  }: { kinds: readonly KindDefinition[]; definitions: readonly CustomResourceDefinition[] },
): KindAddress<Scale> {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const known = kinds.find((each) => each.kind === kind && each.group === group);
  if (known) {
    const { plural, namespaced } = known;
    return { group, version: known.version, kind, plural, namespaced };
  }
  for (const definition of definitions) {
    const address = definition.spec.group === group ? addressOf(definition) : undefined;
    if (address?.kind !== kind) continue;
    const isServed = definition.spec.versions.some(({ name, served }) => served && name === version);
    return { ...address, version: isServed ? version : address.version };
  }
  throw new Error(`no matches for kind "${kind}" in group "${group}"`);
}
