import type { Column } from '../kind.ts';
import { labelSelectorText } from '../label-selector.ts';
import type { KubeObject } from '../object.ts';
import type { LabelSelector } from '../parts/meta.ts';
import type { PodTemplateSpec } from '../parts/podSpec.ts';

interface Workload extends KubeObject {
  spec?: { selector?: LabelSelector; template?: PodTemplateSpec };
}

/** The wide columns that every kind with a pod template shows. */
export const templateColumns: Column<Workload>[] = [
  {
    name: 'Containers',
    priority: 1,
    doc: "The template's containers.",
    value: (object) => join(object, 'name'),
  },
  { name: 'Images', priority: 1, doc: "The template's images.", value: (object) => join(object, 'image') },
  {
    name: 'Selector',
    priority: 1,
    doc: 'The labels of the pods that belong to it.',
    value: (object) => labelSelectorText(object.spec?.selector) || '<none>',
  },
];

function join(object: Workload, field: 'name' | 'image'): string {
  return (object.spec?.template?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',');
}
