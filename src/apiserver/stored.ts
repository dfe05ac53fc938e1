import type { KubeObject } from '../api/object.ts';
import type { StoredObject } from '../store/store.ts';
import { packFields, unpackFields } from './packed-fields.ts';

/** `/core/pods/` or `/core/pods/default/`: where a resource's objects lie in the store. */
export function prefixOf(kind: { group: string; plural: string }, namespace?: string): string {
  const resource = `/${kind.group === '' ? 'core' : kind.group}/${kind.plural}/`;
  return namespace === undefined ? resource : `${resource}${namespace}/`;
}

/** `/core/pods/default/web`; without namespace for objects of the whole cluster. */
export function keyOf(
  kind: { group: string; plural: string; namespaced: boolean },
  namespace: string | undefined,
  name: string,
): string {
  return prefixOf(kind, kind.namespaced ? namespace : undefined) + name;
}

/** The stored value is shared and knows no revision, so each (value, revision) gets one shared copy that does. */
const read = new WeakMap<object, KubeObject>();

/** The object as the API shows it: with its resourceVersion. Shared: never changed in place. */
export function objectOf(stored: { value: object; revision: number }): KubeObject {
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

/** What goes into the store: the object without its resourceVersion, and its managedFields packed. */
export function storedValueOf(object: KubeObject): object {
  const { resourceVersion: _, ...metadata } = object.metadata ?? {};
  if (metadata.managedFields) metadata.managedFields = packFields(metadata.managedFields);
  return { ...object, metadata };
}

/** Reads many at once. */
export function objectsOf(stored: readonly StoredObject[]): KubeObject[] {
  return stored.map(objectOf);
}
