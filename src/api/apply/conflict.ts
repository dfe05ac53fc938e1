import { type StatusCause, StatusError } from '../../base/errors.ts';
import { type FieldSet, pathsOf } from './field-set.ts';
import type { Manager } from './managers.ts';

/** Fields that an applied configuration wants otherwise than their manager. */
export interface Conflict {
  manager: Manager;
  fields: FieldSet;
}

/** The 409 answer, in Kubernetes' words, with a cause a field. */
export function applyConflict(conflicts: readonly Conflict[]): StatusError {
  const named = conflicts
    .map(({ manager, fields }) => ({ manager: nameOf(manager), paths: pathsOf(fields) }))
    .sort((a, b) => (a.manager < b.manager ? -1 : 1));
  const causes = named.flatMap(({ manager, paths }): StatusCause[] =>
    paths.map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${manager}`,
      field,
    })),
  );
  const [{ manager, paths } = { manager: '', paths: [''] }] = named;
  const text =
    causes.length === 1
      ? `Apply failed with 1 conflict: conflict with ${manager}: ${paths[0]}`
      : `Apply failed with ${causes.length} conflicts: ${named.flatMap(listed).join('\n')}`;
  return new StatusError('Conflict', text, { details: { causes } });
}

function listed({ manager, paths }: { manager: string; paths: string[] }): string[] {
  return [`conflicts with ${manager}:`, ...paths.map((path) => `- ${path}`)];
}

function nameOf({ manager, operation, subresource, apiVersion }: Manager): string {
  const name = JSON.stringify(manager);
  const place = subresource === '' ? name : `${name} with subresource ${JSON.stringify(subresource)}`;
  return operation === 'Update' ? `${place} using ${apiVersion}` : place;
}
