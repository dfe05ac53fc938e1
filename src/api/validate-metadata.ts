import type { KindDefinition } from './kind.ts';
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from './names.ts';
import type { KubeObject } from './object.ts';
import { Path } from './path.ts';
import type { Report } from './report.ts';

/** All annotations of an object together, keys and values. */
export const annotationsBytesMax = 256 * 1024;

export function validateMetadata(kind: KindDefinition, object: KubeObject, report: Report): void {
  const at = new Path('metadata');
  const metadata = object.metadata ?? {};
  const nameRule = kind.nameRule ?? dns1123Subdomain;
  if (metadata.generateName) {
    // The generated ending makes a trailing '-' fine.
    const sample = metadata.generateName.replace(/-$/, 'a');
    for (const wrong of nameRule(sample))
      report.invalid(at.child('generateName'), metadata.generateName, wrong);
  }
  if (!metadata.name) report.required(at.child('name'), 'name or generateName is required');
  else for (const wrong of nameRule(metadata.name)) report.invalid(at.child('name'), metadata.name, wrong);
  validateNamespace(kind, metadata.namespace, at.child('namespace'), report);
  validateLabels(metadata.labels, at.child('labels'), report);
  validateAnnotations(metadata.annotations, at.child('annotations'), report);
  validateOwners(object, at.child('ownerReferences'), report);
  for (const [index, finalizer] of (metadata.finalizers ?? []).entries()) {
    const finalizerAt = at.child('finalizers').index(index);
    for (const wrong of qualifiedName(finalizer)) report.invalid(finalizerAt, finalizer, wrong);
    if (kind.custom || finalizer.includes('/') || standardFinalizers.includes(finalizer)) continue;
    const why = 'name is neither a standard finalizer name nor is it fully qualified';
    report.invalid(finalizerAt, finalizer, why);
  }
}

/** Also for the labels of a pod template. */
export function validateLabels(labels: Record<string, string> | undefined, at: Path, report: Report): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const wrong of qualifiedName(key)) report.invalid(at, key, wrong);
    for (const wrong of labelValue(value)) report.invalid(at, value, wrong);
  }
}

export function validateAnnotations(
  annotations: Record<string, string> | undefined,
  at: Path,
  report: Report,
): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const wrong of qualifiedName(key.toLowerCase())) report.invalid(at, key, wrong);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > annotationsBytesMax) report.tooLong(at, annotationsBytesMax);
}

export function validateMetadataUpdate(next: KubeObject, previous: KubeObject, report: Report): void {
  const at = new Path('metadata');
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp'] as const) {
    const value = next.metadata?.[field];
    if (value !== previous.metadata?.[field]) report.invalid(at.child(field), value, 'field is immutable');
  }
  const before = previous.metadata?.finalizers ?? [];
  const added = (next.metadata?.finalizers ?? []).filter((finalizer) => !before.includes(finalizer));
  if (previous.metadata?.deletionTimestamp && added.length > 0) {
    report.forbidden(
      at.child('finalizers'),
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((each) => JSON.stringify(each)).join(', ')}}`,
    );
  }
}

const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion'];

function validateNamespace(
  kind: KindDefinition,
  namespace: string | undefined,
  at: Path,
  report: Report,
): void {
  if (!kind.namespaced) {
    if (namespace) report.forbidden(at, 'not allowed on this type');
  } else if (!namespace) report.required(at);
  else for (const wrong of dns1123Label(namespace)) report.invalid(at, namespace, wrong);
}

const ownerWords = { apiVersion: 'version', kind: 'kind', name: 'name', uid: 'uid' };

function validateOwners(object: KubeObject, at: Path, report: Report): void {
  let controller = '';
  for (const owner of object.metadata?.ownerReferences ?? []) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      // Kubernetes names the list, not the item.
      const fieldAt = at.child(field);
      if (!owner[field])
        report.invalid(fieldAt, owner[field] ?? '', `${ownerWords[field]} must not be empty`);
    }
    if (!owner.controller) continue;
    if (controller !== '') {
      report.invalid(
        at,
        object.metadata?.ownerReferences,
        `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
      );
    }
    controller = owner.name;
  }
}
