import type { KindDefinition } from '../api/kind.ts';
import type { KubeObject } from '../api/object.ts';
import { packFields, unpackFields } from './packed-fields.ts';

/** What tells where a kind's objects lie: where it is stored as another one, there. */
interface StoredKind {
  group: string;
  plural: string;
  storedAs?: { kind: { group: string; plural: string } };
}

/** `/core/pods/` or `/core/pods/default/`: where a resource's objects lie in the store. */
export function prefixOf(served: StoredKind, namespace?: string): string {
  const kind = served.storedAs?.kind ?? served;
  const resource = `/${kind.group === '' ? 'core' : kind.group}/${kind.plural}/`;
  return namespace === undefined ? resource : `${resource}${namespace}/`;
}

/** `/core/pods/default/web`; without namespace for objects of the whole cluster. */
export function keyOf(
  kind: StoredKind & { namespaced: boolean },
  namespace: string | undefined,
  name: string,
): string {
  return prefixOf(kind, kind.namespaced ? namespace : undefined) + name;
}

/** The stored value is shared and knows no revision, so each (value, revision) gets one shared copy that does. */
const read = new WeakMap<object, KubeObject>();

/** Objects in other versions than they are stored in, by the one that is stored; shared for the same reason. */
const readAs = new WeakMap<KubeObject, Map<KindDefinition, KubeObject>>();

/**
 * The object as the API shows it, with its resourceVersion, and in the version of `kind` where that is not the one
 * that is stored. Shared: never changed in place.
 */
export function objectOf(stored: { value: object; revision: number }, kind?: KindDefinition): KubeObject {
  const object = storedObjectOf(stored);
  if (!kind?.storedAs) return object;
  const versions = readAs.get(object) ?? new Map<KindDefinition, KubeObject>();
  readAs.set(object, versions);
  const known = versions.get(kind);
  if (known) return known;
  const converted = kind.storedAs.fromStored(object);
  versions.set(kind, converted);
  return converted;
}

function storedObjectOf(stored: { value: object; revision: number }): KubeObject {
  const resourceVersion = String(stored.revision);
  const known = read.get(stored.value);
  if (known?.metadata?.resourceVersion === resourceVersion) return known;
  const value = stored.value as KubeObject;
  const object = { ...value, metadata: { ...value.metadata, resourceVersion } };
  if (object.metadata.managedFields)
    object.metadata.managedFields = unpackFields(object.metadata.managedFields);
  read.set(stored.value, object);
  return object;
}

/** What goes into the store: the object, in the version that is stored, without its resourceVersion, and its managedFields packed. */
export function storedValueOf(served: KubeObject, kind?: KindDefinition): object {
  const object = kind?.storedAs?.toStored(served) ?? served;
  const { resourceVersion: _, ...metadata } = object.metadata ?? {};
  if (metadata.managedFields) metadata.managedFields = packFields(metadata.managedFields);
  return { ...object, metadata };
}
