import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { podTemplateSpec } from '../parts/podSpec.ts';
import { refine } from '../schema.ts';
import { nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.core.v1.PodTemplate',
  { apiVersion: 'v1', kind: 'PodTemplate' },
  { template: refine(podTemplateSpec, { doc: 'What pods made from it look like.', default: {} }) },
  'PodTemplate keeps a description of pods for others to use.',
);

export interface PodTemplate extends ObjectOf<typeof schema> {}

export const podTemplate = defineKind<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  namespaced: true,
  countsGenerations: true,
  schema,
  columns: [
    nameColumn,
    { name: 'Containers', doc: 'Its containers.', value: (object) => join(object, 'name') },
    { name: 'Images', doc: 'Their images.', value: (object) => join(object, 'image') },
    { name: 'Pod Labels', doc: 'The labels of its pods.', value: labelsText },
  ],
});

function join({ template }: PodTemplate, field: 'name' | 'image'): string {
  return (template?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',');
}

function labelsText({ template }: PodTemplate): string {
  const labels = Object.entries(template?.metadata?.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return labels.sort().join(',') || '<none>';
}
