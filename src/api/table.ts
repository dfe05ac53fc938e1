import { ageOf } from './duration.ts';
import type { Column, KindDefinition } from './kind.ts';
import { apiVersionOf, type KubeObject } from './object.ts';

export interface TableOptions {
  nowMs: number;
  /** What each row carries beside its cells; `Metadata` if absent. */
  includeObject?: 'Metadata' | 'Object' | 'None' | undefined;
  /** The list's own metadata. */
  metadata?: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  /** The kind's `apiVersion` for `PartialObjectMetadata` and the Table; `meta.k8s.io/v1` if absent. */
  apiVersion?: string;
}

export interface Table {
  kind: 'Table';
  apiVersion: string;
  metadata: object;
  columnDefinitions: { name: string; type: string; format: string; description: string; priority: number }[];
  rows: { cells: (string | number | boolean | null)[]; object: object | null }[];
}

/** The objects as `meta.k8s.io/v1` Table: what `kubectl get` shows, wide columns (priority 1) included. */
export function toTable<T extends KubeObject>(
  kind: KindDefinition<T>,
  objects: readonly T[],
  options: TableOptions,
): Table {
  const columns = columnsOf(kind);
  const apiVersion = options.apiVersion ?? 'meta.k8s.io/v1';
  return {
    kind: 'Table',
    apiVersion,
    metadata: options.metadata ?? {},
    columnDefinitions: columns.map((column) => ({
      name: column.name,
      type: column.type ?? 'string',
      format: column.format ?? '',
      description: column.doc ?? '',
      priority: column.priority ?? 0,
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.value(object, options.nowMs)),
      ...rowObject(kind, object, apiVersion, options.includeObject ?? 'Metadata'),
    })),
  };
}

function columnsOf<T extends KubeObject>(kind: KindDefinition<T>): readonly Column<T>[] {
  return kind.columns.length > 0 ? kind.columns : [nameColumn, ageColumn];
}

export const nameColumn: Column<KubeObject> = {
  name: 'Name',
  format: 'name',
  doc: "The object's name, unique among its kind in its namespace.",
  value: (object) => object.metadata?.name ?? '',
};

export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  doc: 'How long ago the object was created.',
  value: (object, nowMs) => ageOf(object.metadata?.creationTimestamp, nowMs),
};

/** Of kinds that Kubernetes has no printer for. */
export const plainColumns: readonly Column<KubeObject>[] = [
  nameColumn,
  {
    name: 'Created At',
    type: 'date',
    doc: 'When it was created.',
    value: ({ metadata }) => metadata?.creationTimestamp ?? '',
  },
];

function rowObject(
  kind: KindDefinition,
  object: KubeObject,
  apiVersion: string,
  include: string,
): { object: object | null } {
  if (include === 'None') return { object: null };
  if (include === 'Object') return { object: { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind } };
  return { object: { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata ?? {} } };
}
