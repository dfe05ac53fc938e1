import { ageOf } from '../duration.ts';
import type { Column } from '../kind.ts';
import type { CustomResourceColumnDefinition } from '../kinds/customResourceDefinition.ts';
import type { KubeObject } from '../object.ts';
import { nameColumn } from '../table.ts';
import { compileJsonPath } from './json-path.ts';

type Cell = string | number | boolean | null;

const age: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'How long ago the object was created.',
};

/** The columns that a definition declares, after the name; the age where it declares none. */
export function columnsOf(
  declared: readonly CustomResourceColumnDefinition[] | undefined,
): Column<KubeObject>[] {
  return [nameColumn, ...(declared?.length ? declared : [age]).map(columnOf)];
}

function columnOf(declared: CustomResourceColumnDefinition): Column<KubeObject> {
  const read = readerOf(declared.jsonPath);
  const doc =
    declared.description || `Custom resource definition column (in JSONPath format): ${declared.jsonPath}`;
  return {
    name: declared.name,
    type: declared.type as 'string',
    ...(declared.format && { format: declared.format }),
    ...(declared.priority && { priority: declared.priority }),
    doc,
    value: (object, nowMs) => cellOf(declared.type, read(object), nowMs),
  };
}

/** A path that cannot be read shows nothing. */
function readerOf(path: string): (object: unknown) => unknown {
  try {
    const lead = compileJsonPath(path);
    return (object) => lead(object)[0];
  } catch {
    return () => undefined;
  }
}

function cellOf(type: string, value: unknown, nowMs: number): Cell {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : JSON.stringify(value);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : ageOf(value, nowMs);
    default:
      return null;
  }
}
