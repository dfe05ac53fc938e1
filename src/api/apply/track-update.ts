import type { KindDefinition } from '../kind.ts';
import { apiVersionOf, type KubeObject, type ObjectMeta } from '../object.ts';
import { otherVersion } from '../versions.ts';
import { changedFields, removedFields } from './compare.ts';
import { difference, type FieldSet, leaf, union } from './field-set.ts';
import {
  capped,
  entriesOf,
  isSameManager,
  type Manager,
  managersIn,
  readManagers,
  type Writer,
} from './managers.ts';

type Entries = NonNullable<ObjectMeta['managedFields']>;

/** Fields that identify an object or that the server alone writes; nobody owns them. */
export const ownedByNobody: FieldSet = {
  'f:apiVersion': leaf,
  'f:kind': leaf,
  'f:metadata': {
    '.': leaf,
    'f:name': leaf,
    'f:namespace': leaf,
    'f:creationTimestamp': leaf,
    'f:selfLink': leaf,
    'f:uid': leaf,
    'f:generation': leaf,
    'f:managedFields': leaf,
    'f:resourceVersion': leaf,
  },
};

export interface Update {
  kind: KindDefinition;
  writer: Writer;
  /** RFC 3339. */
  time: string;
  /** Undefined where the object is new. */
  previous: KubeObject | undefined;
  next: KubeObject;
  /** What the client sent as managedFields, where it may: it then counts instead of the stored ones. */
  given?: readonly unknown[] | undefined;
}

/**
 * The managedFields of an object after a create, an update or a patch: what the writer changed is its own and no
 * longer anybody else's. An existing object without them stays without them until somebody applies it.
 */
export function trackUpdate(update: Update): Entries | undefined {
  const { previous, given, kind } = update;
  const stored = previous?.metadata?.managedFields as Entries | undefined;
  if (previous === undefined && kind.isTracked === false) return undefined;
  if (given && isReset(given)) return undefined;
  const read = given && given.length > 0 ? readManagers(given) : undefined;
  // Entries without fields come from clients that cannot read them; these must not lose what is stored.
  const replaced = read?.length ? read : undefined;
  const managers = replaced ?? managersIn(previous?.metadata);
  if (previous !== undefined && managers.length === 0) return undefined;
  const changes = changesOf(update);
  // An update must not fail for a list that an apply could not merge.
  if (!changes) return stored;
  const { changed, removed } = changes;
  if (!changed && !removed) return replaced ? entriesOf(replaced) : stored;
  const lostBy = lostIn(update, union(changed, removed));
  const entries = entriesOf(capped(afterChange(managers, changed, lostBy, update)));
  return entries.length > 0 ? entries : undefined;
}

interface Changes {
  changed: FieldSet | undefined;
  removed: FieldSet | undefined;
}

/** What an update, by comparison, set and took away; undefined where a list has an item without its keys. */
function changesOf({
  kind,
  previous,
  next,
}: Pick<Update, 'kind' | 'previous' | 'next'>): Changes | undefined {
  const [before, after] = [withoutManagers(previous ?? {}), withoutManagers(next)];
  try {
    return {
      changed: difference(changedFields(kind.schema, before, after), ownedByNobody),
      removed: removedFields(kind.schema, before, after),
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** What a change takes from a manager, in the names of the version that the manager wrote in. */
export function lostIn(
  { kind, previous, next }: Pick<Update, 'kind' | 'previous' | 'next'>,
  lost: FieldSet | undefined,
): (manager: Manager) => FieldSet | undefined {
  const found = new Map<string, FieldSet | undefined>([[apiVersionOf(kind), lost]]);
  return ({ apiVersion }) => {
    if (found.has(apiVersion)) return found.get(apiVersion);
    const other = otherVersion(kind, apiVersion);
    const changes =
      other && changesOf({ kind: other.kind, previous: other.to(previous ?? {}), next: other.to(next) });
    const inOther = other ? union(changes?.changed, changes?.removed) : lost;
    found.set(apiVersion, inOther);
    return inOther;
  };
}

/** The managers once `writer` has changed these fields. */
function afterChange(
  managers: readonly Manager[],
  changed: FieldSet | undefined,
  lostBy: (manager: Manager) => FieldSet | undefined,
  { writer, time }: Pick<Update, 'writer' | 'time'>,
): Manager[] {
  const others: Manager[] = [];
  let own: FieldSet | undefined;
  for (const manager of managers) {
    const fields = difference(manager.fields, lostBy(manager));
    if (isSameManager(manager, writer)) own = union(own, fields);
    else if (fields) others.push({ ...manager, fields });
  }
  own = union(own, changed);
  // Who only took fields away keeps its time, as in Kubernetes.
  const held = managers.find((manager) => isSameManager(manager, writer));
  return own ? [...others, { ...writer, time: changed ? time : held?.time, fields: own }] : others;
}

/** A client resets managedFields with an empty list, or with a list of one empty entry. */
function isReset(given: readonly unknown[]): boolean {
  return given.length === 0 || (given.length === 1 && Object.keys(given[0] as object).length === 0);
}

function withoutManagers(object: KubeObject): KubeObject {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}
