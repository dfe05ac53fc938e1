import type { FieldSet } from '../api/apply/field-set.ts';
import type { ManagedFieldsEntry } from '../api/parts/meta.ts';

/** How many field sets are kept unpacked, and how long one may be to be kept, in characters. */
export const setsKeptMax = 2_000;
const keptCharactersMax = 16 * 1024;

/**
 * Field sets rest in the store as text: it takes a fraction of the memory that the objects would, and of the time to
 * read them. Objects that were made alike have equal sets, so these share one in memory.
 */
const unpacked = new Map<string, FieldSet>();
const packed = new WeakMap<FieldSet, string>();

/** The entries as they are stored. */
export function packFields(entries: readonly unknown[]): unknown[] {
  return (entries as ManagedFieldsEntry[]).map((entry) => {
    const fields = entry.fieldsV1 as FieldSet;
    let text = packed.get(fields);
    if (text === undefined) {
      text = JSON.stringify(fields);
      keep(text, fields);
    }
    return { ...entry, fieldsV1: text };
  });
}

/** The entries as the API shows them. */
export function unpackFields(entries: readonly unknown[]): unknown[] {
  return (entries as ManagedFieldsEntry[]).map((entry) => {
    if (typeof entry.fieldsV1 !== 'string') return entry;
    const known = unpacked.get(entry.fieldsV1);
    if (known) return { ...entry, fieldsV1: known };
    const fields = JSON.parse(entry.fieldsV1) as FieldSet;
    keep(entry.fieldsV1, fields);
    return { ...entry, fieldsV1: fields };
  });
}

function keep(text: string, fields: FieldSet): void {
  packed.set(fields, text);
  if (text.length > keptCharactersMax || unpacked.has(text)) return;
  unpacked.set(text, fields);
  if (unpacked.size > setsKeptMax) unpacked.delete(unpacked.keys().next().value!);
}

/** How many sets are kept at the moment. */
export function setsKept(): number {
  return unpacked.size;
}
