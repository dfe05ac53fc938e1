import { isEqualSemantically } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { any, integer, required } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const schema = kindSchema(
  'io.k8s.api.apps.v1.ControllerRevision',
  { apiVersion: 'apps/v1', kind: 'ControllerRevision' },
  {
    data: any({ doc: 'What is kept: a patch that brings it back.' }),
    revision: required(integer({ doc: 'Its number; the newest is the greatest.', min: 0 })),
  },
  'ControllerRevision keeps an earlier state of a DaemonSet or StatefulSet, for a rollback.',
);

export interface ControllerRevision extends ObjectOf<typeof schema> {}

export const controllerRevision = defineKind<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
  schema,
  columns: [
    nameColumn,
    { name: 'Controller', doc: 'What it belongs to.', value: controllerText },
    { name: 'Revision', doc: 'Its number.', value: ({ revision }) => revision ?? 0 },
    ageColumn,
  ],
  check({ data }, report, root) {
    if (data === undefined) report.required(root.child('data'), 'data is mandatory');
  },
  checkUpdate(next, previous, report, root) {
    if (!isEqualSemantically(next.data, previous.data)) {
      report.invalid(root.child('data'), next.data, 'field is immutable');
    }
  },
});

function controllerText({ metadata }: ControllerRevision): string {
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return '<none>';
  const [group] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : [''];
  return `${[owner.kind.toLowerCase(), group].filter((part) => part).join('.')}/${owner.name}`;
}
