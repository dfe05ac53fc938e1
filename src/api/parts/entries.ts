import { isEqualSemantically } from '../equal.ts';
import { configKey } from '../names.ts';
import type { KubeObject } from '../object.ts';
import { Path } from '../path.ts';
import type { Report } from '../report.ts';

/** All entries of a ConfigMap or Secret together. */
export const entriesBytesMax = 1024 * 1024;

interface Entries extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

/** The keys and the size of a ConfigMap's entries; too large is the object as a whole. */
export function checkConfigEntries(object: Entries, report: Report, root: Path): void {
  const { data = {}, binaryData = {} } = object;
  checkKeys(object, report, root);
  const texts = Object.values(data).map((value) => Buffer.byteLength(value));
  const bytes = sum([...texts, ...Object.values(binaryData).map(decodedBytes)]);
  if (bytes > entriesBytesMax) report.tooLong(new Path('[]'), entriesBytesMax);
}

/** The keys and the size of a Secret's entries, which are base64. */
export function checkSecretEntries(object: Entries, report: Report, root: Path): void {
  checkKeys(object, report, root);
  const bytes = sum(Object.values(object.data ?? {}).map(decodedBytes));
  if (bytes > entriesBytesMax) report.tooLong(root.child('data'), entriesBytesMax);
}

function checkKeys({ data = {}, binaryData = {} }: Entries, report: Report, root: Path): void {
  for (const [field, entries] of Object.entries({ data, binaryData })) {
    for (const key of Object.keys(entries)) {
      for (const wrong of configKey(key)) report.invalid(root.child(field).key(key), key, wrong);
    }
  }
  for (const key of Object.keys(binaryData)) {
    if (key in data)
      report.invalid(root.child('data').key(key), key, 'duplicate of key present in binaryData');
  }
}

const decodedBytes = (base64: string) => Buffer.byteLength(base64, 'base64');
const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);

/** Refuses to change the entries of an immutable object, or to make it mutable again. */
export function checkFrozen(...fields: ('data' | 'binaryData')[]) {
  return (next: Entries, previous: Entries, report: Report, root: Path): void => {
    if (!previous.immutable) return;
    const detail = 'field is immutable when `immutable` is set';
    if (!next.immutable) report.forbidden(root.child('immutable'), detail);
    for (const field of fields) {
      if (!isEqualSemantically(next[field], previous[field])) report.forbidden(root.child(field), detail);
    }
  };
}
