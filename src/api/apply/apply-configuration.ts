import { StatusError } from '../../base/errors.ts';
import { isEqualJson } from '../equal.ts';
import type { KindDefinition } from '../kind.ts';
import { apiVersionOf, type KubeObject, type ObjectMeta } from '../object.ts';
import { otherVersion } from '../versions.ts';
import { changedFields, removedFields } from './compare.ts';
import { applyConflict, type Conflict } from './conflict.ts';
import { difference, type FieldSet, intersection, union } from './field-set.ts';
import { fieldsOf } from './fields-of.ts';
import { allowedByLastApplied, withLastApplied } from './last-applied.ts';
import {
  applyManagersMax,
  beforeFirstApplyManager,
  capped,
  entriesOf,
  isSameManager,
  type Manager,
  managersIn,
  type Writer,
} from './managers.ts';
import { merge } from './merge.ts';
import { prune } from './prune.ts';
import { lostIn, ownedByNobody } from './track-update.ts';

export interface Apply {
  kind: KindDefinition;
  writer: Writer & { operation: 'Apply' };
  /** RFC 3339. */
  time: string;
  /** Undefined where the object is to be made. */
  live: KubeObject | undefined;
  /** What the manager wants, decoded, without defaults. */
  config: KubeObject;
  /** Takes over the fields of others instead of failing. */
  force: boolean;
}

export interface Applied {
  /** The merged object, before defaults; shares parts with what it was made from. */
  object: KubeObject;
  managedFields: ObjectMeta['managedFields'];
}

/**
 * Server-side apply: the live object with the configuration merged in and without what the manager applied before,
 * does not any more, and nobody else owns. Throws Conflict where another manager owns a field with another value,
 * BadRequest for a configuration that cannot be merged.
 * Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export function applyConfiguration(apply: Apply): Applied {
  try {
    return applied(apply);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StatusError(
      'BadRequest',
      `failed to create typed patch object (${nameOf(apply)}): ${error.message}`,
    );
  }
}

function applied(apply: Apply): Applied {
  const { kind, writer, time, config } = apply;
  const { managedFields: _, ...metadata } = apply.live?.metadata ?? {};
  const live = { ...apply.live, metadata };
  const managers = apply.live ? liveManagers(apply, live) : [];
  const last = managers.find((manager) => isSameManager(manager, writer));
  const others = managers.filter((manager) => manager !== last);
  const owned = difference(fieldsOf(kind.schema, config), ownedByNobody);
  if (!last && managers.filter(({ operation }) => operation === 'Apply').length >= applyManagersMax) {
    throw new StatusError(
      'Invalid',
      `metadata.managedFields: Too many: ${applyManagersMax + 1}: must have at most ${applyManagersMax} items`,
    );
  }
  const merged = merge(kind.schema, live, config);
  // Where versions cannot be turned into each other, fields are taken to have the same names in all of them.
  const isComparable = ({ apiVersion }: Manager) => otherVersion(kind, apiVersion) === undefined;
  const kept = others
    .filter(isComparable)
    .reduce<FieldSet | undefined>((all, { fields }) => union(all, fields), owned);
  const released = last && isComparable(last) ? last.fields : undefined;
  const pruned = prune(kind.schema, merged, released, kept) as KubeObject;
  const object = withOwnedElsewhere(kind, merged as KubeObject, pruned, others);

  const changed = changedFields(kind.schema, live, object);
  const lost = union(changed, removedFields(kind.schema, live, object));
  const lostBy = lostIn({ kind, previous: live, next: object }, lost);
  refuseConflicts(apply, live, others, (manager) => (isComparable(manager) ? changed : lostBy(manager)));
  const after: Manager[] = [];
  for (const other of others) {
    const fields = difference(other.fields, lostBy(other));
    if (fields) after.push({ ...other, fields });
  }
  if (owned) {
    const isSame = lost === undefined && last !== undefined && isEqualJson(last.fields, owned);
    after.push({ ...writer, fields: owned, time: isSame ? last.time : time });
  }
  const noted = withLastApplied(writer, live, object, config);
  return {
    object: noted ? { ...object, metadata: { ...object.metadata, annotations: noted } } : object,
    managedFields: after.length > 0 ? entriesOf(capped(after)) : undefined,
  };
}

/** Who manages the live object. What was there before anybody was tracked belongs to `before-first-apply`. */
function liveManagers({ kind, writer, time, live }: Apply, withoutManagers: KubeObject): Manager[] {
  const managers = managersIn(live?.metadata);
  if (managers.length > 0) return managers;
  const fields = difference(changedFields(kind.schema, {}, withoutManagers), ownedByNobody);
  if (!fields) return [];
  const { apiVersion } = writer;
  return [
    { manager: beforeFirstApplyManager, operation: 'Update', subresource: '', apiVersion, time, fields },
  ];
}

/** What managers own in other versions comes back where it was pruned. */
function withOwnedElsewhere(
  kind: KindDefinition,
  merged: KubeObject,
  pruned: KubeObject,
  managers: readonly Manager[],
): KubeObject {
  let object = pruned;
  for (const apiVersion of new Set(managers.map((manager) => manager.apiVersion))) {
    const other = otherVersion(kind, apiVersion);
    if (!other || object === merged) continue;
    const owned = managers
      .filter((manager) => manager.apiVersion === apiVersion)
      .reduce<FieldSet | undefined>((all, { fields }) => union(all, fields), undefined);
    const whole = other.to(merged);
    const removed = removedFields(other.kind.schema, whole, other.to(object));
    if (!intersection(removed, owned)) continue;
    object = other.from(prune(other.kind.schema, whole, removed, owned) as KubeObject);
  }
  return object;
}

function refuseConflicts(
  { kind, writer, force }: Apply,
  live: KubeObject,
  others: readonly Manager[],
  changedFor: (manager: Manager) => FieldSet | undefined,
): void {
  if (force) return;
  const conflicts: Conflict[] = [];
  for (const manager of others) {
    const fields = intersection(manager.fields, changedFor(manager));
    if (fields) conflicts.push({ manager, fields });
  }
  if (conflicts.length === 0) return;
  const allowed = allowedByLastApplied(kind, writer, live);
  const left = conflicts.flatMap(({ manager, fields }) => {
    const rest = difference(fields, allowed);
    return rest ? [{ manager, fields: rest }] : [];
  });
  if (left.length > 0) throw applyConflict(left);
}

function nameOf({ kind, config, live }: Apply): string {
  const { namespace, name } = { ...live?.metadata, ...config.metadata };
  return `${namespace ?? ''}/${name ?? ''}; ${apiVersionOf(kind)}, Kind=${kind.kind}`;
}
