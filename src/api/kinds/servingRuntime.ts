import { type Column, defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { servingRuntimeSpec } from '../parts/servingRuntime.ts';
import { object } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.kserve.serving.v1alpha1.ServingRuntime',
  { apiVersion: 'serving.kserve.io/v1alpha1', kind: 'ServingRuntime' },
  { spec: servingRuntimeSpec, status: object('io.kserve.serving.v1alpha1.ServingRuntimeStatus', {}) },
  'ServingRuntime says how models of some formats are served in its namespace.',
);

export interface ServingRuntime extends ObjectOf<typeof schema> {}

/** As KServe prints them, of both kinds of runtime. */
export const runtimeColumns: Column<Pick<ServingRuntime, 'metadata' | 'spec'>>[] = [
  nameColumn,
  {
    name: 'Disabled',
    type: 'boolean',
    doc: 'Whether it is given to no model.',
    value: ({ spec }) => spec?.disabled ?? null,
  },
  {
    name: 'ModelType',
    doc: 'The first format that it serves.',
    value: ({ spec }) => spec?.supportedModelFormats?.[0]?.name ?? '',
  },
  {
    name: 'Containers',
    doc: 'Its first container.',
    value: ({ spec }) => spec?.containers?.[0]?.name ?? '',
  },
  ageColumn,
];

export const servingRuntime = defineKind<ServingRuntime>({
  group: 'serving.kserve.io',
  version: 'v1alpha1',
  kind: 'ServingRuntime',
  plural: 'servingruntimes',
  namespaced: true,
  countsGenerations: true,
  schema,
  columns: runtimeColumns,
});
