import { isEqualJson } from '../../equal.ts';
import type { CustomResourceDefinition } from '../../kinds/customResourceDefinition.ts';
import { dns1035Label, dns1123Subdomain } from '../../names.ts';
import type { Path } from '../../path.ts';
import type { Report } from '../../report.ts';
import { approvalAnnotation, isProtectedGroup, readApproval } from './approval.ts';
import { validateConversion } from './validate-conversion.ts';
import { validateNames } from './validate-names.ts';
import { validateVersion } from './validate-version.ts';

/**
 * Reports what is wrong with a definition, in the words of Kubernetes 1.32.
 * Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
 */
export function validateDefinition(definition: CustomResourceDefinition, report: Report, root: Path): void {
  const { metadata, spec, status } = definition;
  // What is missing is told already.
  if (!spec?.names) return;
  const at = root.child('spec');
  if (metadata?.name !== `${spec.names.plural}.${spec.group}`) {
    report.invalid(
      root.child('metadata').child('name'),
      metadata?.name,
      'must be spec.names.plural+"."+spec.group',
    );
  }
  validateGroup(spec.group, at.child('group'), report);
  validateScope(spec.scope, at.child('scope'), report);
  if (spec.preserveUnknownFields) {
    report.invalid(
      at.child('preserveUnknownFields'),
      true,
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
    );
  }
  validateVersions(spec, at.child('versions'), report);
  validateNames(spec.names, at.child('names'), report);
  validateConversion(spec.conversion, at.child('conversion'), report);
  if (status) {
    if (status.acceptedNames) {
      validateNames(status.acceptedNames, root.child('status').child('acceptedNames'), report);
    }
    validateStoredVersions(definition, root.child('status').child('storedVersions'), report);
  }
}

/** Reports what may not change. A definition that is established keeps its scope and its kind. */
export function validateDefinitionUpdate(
  next: CustomResourceDefinition,
  previous: CustomResourceDefinition,
  report: Report,
  root: Path,
): void {
  const at = root.child('spec');
  const keep = (value: unknown, before: unknown, path: Path) => {
    if (value !== before) report.invalid(path, value, 'field is immutable');
  };
  const isEstablished = previous.status?.conditions?.some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
  if (isEstablished) {
    keep(next.spec.scope, previous.spec.scope, at.child('scope'));
    keep(next.spec.names.kind, previous.spec.names.kind, at.child('names').child('kind'));
  }
  keep(next.spec.group, previous.spec.group, at.child('group'));
  keep(next.spec.names.plural, previous.spec.names.plural, at.child('names').child('plural'));
  const [now, before] = [readApproval(next), readApproval(previous)];
  if (now.state !== before.state) reportApproval(next, report, root);
}

/** Reports what is wrong with a new definition only: one that is there may keep what it has. */
export function validateDefinitionCreate(
  definition: CustomResourceDefinition,
  report: Report,
  root: Path,
): void {
  if (definition.spec?.group) reportApproval(definition, report, root);
}

function reportApproval(definition: CustomResourceDefinition, report: Report, root: Path): void {
  if (!isProtectedGroup(definition.spec.group)) return;
  const { state, message } = readApproval(definition);
  const at = root.child('metadata').child('annotations').key(approvalAnnotation);
  if (state === 'missing') report.required(at, message);
  if (state === 'invalid')
    report.invalid(at, definition.metadata?.annotations?.[approvalAnnotation], message);
}

function validateGroup(group: string | undefined, at: Path, report: Report): void {
  if (!group) return;
  const wrong = dns1123Subdomain(group);
  if (wrong.length > 0) report.invalid(at, group, wrong.join(','));
  else if (!group.includes('.')) report.invalid(at, group, 'should be a domain with at least one dot');
}

function validateScope(scope: string | undefined, at: Path, report: Report): void {
  if (scope === '') report.required(at);
  else if (scope !== undefined && scope !== 'Cluster' && scope !== 'Namespaced') {
    report.unsupported(at, scope, ['Cluster', 'Namespaced']);
  }
}

function validateVersions(spec: CustomResourceDefinition['spec'], at: Path, report: Report): void {
  if (!spec.versions) return;
  for (const [index, version] of spec.versions.entries()) {
    const versionAt = at.index(index);
    if (!version.schema?.openAPIV3Schema) {
      report.required(versionAt.child('schema').child('openAPIV3Schema'), 'schemas are required');
    }
    const wrong = dns1035Label(version.name ?? '');
    if (wrong.length > 0) report.invalid(versionAt.child('name'), version.name, wrong.join(','));
    validateVersion(version, versionAt, report);
  }
  const names = spec.versions.map(({ name }) => name);
  if (new Set(names).size < names.length) report.invalid(at, names, 'must contain unique version names');
  if (spec.versions.filter(({ storage }) => storage).length !== 1) {
    report.invalid(at, names, 'must have exactly one version marked as storage version');
  }
}

function validateStoredVersions({ spec, status }: CustomResourceDefinition, at: Path, report: Report): void {
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) {
    report.invalid(at, stored, 'must have at least one stored version');
    return;
  }
  const versions = spec.versions ?? [];
  for (const { name, storage } of versions) {
    if (storage && !stored.includes(name)) {
      report.invalid(at, stored, `must have the storage version ${name}`);
    }
  }
  for (const [index, name] of stored.entries()) {
    if (!versions.some((version) => isEqualJson(version.name, name))) {
      report.invalid(at.index(index), name, 'must appear in spec.versions');
    }
  }
}
