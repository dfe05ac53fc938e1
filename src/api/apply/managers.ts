import type { KubeObject } from '../object.ts';
import type { ManagedFieldsEntry } from '../parts/meta.ts';
import { type FieldSet, union } from './field-set.ts';
import { readFieldSet } from './read-field-set.ts';

/** Update entries beyond this are merged, oldest first, into `ancient-changes` (Kubernetes has the same bound). */
export const updateManagersMax = 10;
/** More appliers than this of one object are refused. */
export const applyManagersMax = 100;
export const ancientManager = 'ancient-changes';
export const beforeFirstApplyManager = 'before-first-apply';

/** One manager's part of an object. */
export interface Manager {
  manager: string;
  operation: 'Apply' | 'Update';
  /** `''` for the object itself. */
  subresource: string;
  apiVersion: string;
  time: string | undefined;
  fields: FieldSet;
}

/** Who a write is by. */
export type Writer = Pick<Manager, 'manager' | 'operation' | 'subresource' | 'apiVersion'>;

/** An applier is one whatever version it writes in; an updater is another one in each version. */
export function isSameManager(a: Writer, b: Writer): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

/** The managers in entries that this server wrote. */
export function managersIn(entries: KubeObject['metadata']): Manager[] {
  const listed = (entries?.managedFields ?? []) as ManagedFieldsEntry[];
  return listed.map((entry) => ({
    manager: entry.manager ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    subresource: entry.subresource ?? '',
    apiVersion: entry.apiVersion ?? '',
    time: entry.time,
    // What the server stored was canonical when it was written, and holds only what FieldsV1 may.
    fields: (entry.fieldsV1 ?? {}) as FieldSet,
  }));
}

/** The managers in entries that a client wrote; undefined when they make no sense or are too many, so that they are passed over. */
export function readManagers(entries: readonly unknown[]): Manager[] | undefined {
  const read: Manager[] = [];
  for (const entry of entries as ManagedFieldsEntry[]) {
    const { operation, fieldsType = 'FieldsV1' } = entry;
    if ((operation !== 'Apply' && operation !== 'Update') || fieldsType !== 'FieldsV1') return undefined;
    const [manager] = managersIn({ managedFields: [entry] });
    try {
      const fields = readFieldSet(entry.fieldsV1);
      if (fields) read.push({ ...manager!, fields });
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }
  return read.filter(({ operation }) => operation === 'Apply').length > applyManagersMax ? undefined : read;
}

/** The entries as they are stored and shown: appliers first, then by time and name. */
export function entriesOf(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return [...managers].sort(byOperationAndTime).map((manager) => ({
    manager: manager.manager,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time !== undefined && { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: manager.fields,
    ...(manager.subresource !== '' && { subresource: manager.subresource }),
  }));
}

/** Merges the oldest updaters of a version until no more than `updateManagersMax` are left. */
export function capped(managers: readonly Manager[]): Manager[] {
  const updaters = managers.filter(({ operation }) => operation === 'Update').sort(byOperationAndTime);
  let surplus = updaters.length - updateManagersMax;
  if (surplus <= 0) return [...managers];
  const kept = new Set(managers);
  const oldest = new Map<string, Manager>();
  for (const updater of updaters) {
    if (surplus <= 0) break;
    const bucket = oldest.get(updater.apiVersion);
    kept.delete(updater);
    if (bucket) {
      kept.delete(bucket);
      surplus--;
    }
    const merged: Manager = bucket
      ? {
          ...updater,
          manager: ancientManager,
          subresource: '',
          fields: union(bucket.fields, updater.fields)!,
        }
      : updater;
    kept.add(merged);
    oldest.set(updater.apiVersion, merged);
  }
  return [...kept];
}

function byOperationAndTime(a: Manager, b: Manager): number {
  return (
    compare(a.operation, b.operation) ||
    compare(a.time ?? '', b.time ?? '') ||
    compare(a.manager, b.manager) ||
    compare(a.apiVersion, b.apiVersion) ||
    compare(a.subresource, b.subresource)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
