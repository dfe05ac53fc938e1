import { clone } from './clone.ts';
import { isEqualJson, isEqualSemantically } from './equal.ts';
import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './object.ts';

type Fields = Record<string, unknown>;

/** A copy as it is stored when it is new: without a status that its writer does not own, in generation 1. */
export function prepareForCreate<T extends KubeObject>(kind: KindDefinition<T>, object: T): T {
  const copy = withoutEmptyMetadata(clone(object));
  if (kind.subresources.status && !kind.keepsStatusOnCreate) delete (copy as Fields).status;
  if (countsGenerations(kind)) copy.metadata = { ...copy.metadata, generation: 1 };
  return copy;
}

/**
 * A copy of `next` that changes only what this write may change: the status subresource nothing but the status,
 * a write of the object everything but the status. The generation counts changes beside metadata and status.
 */
export function prepareForUpdate<T extends KubeObject>(
  kind: KindDefinition<T>,
  next: T,
  previous: T,
  subresource: 'status' | '' = '',
): T {
  const copy = withoutEmptyMetadata(
    clone(subresource === 'status' ? onlyStatus(kind, next, previous) : next),
  );
  keepSystemMetadata(copy, previous);
  if (subresource === 'status') return copy;
  if (kind.subresources.status) setField(copy, 'status', (previous as Fields).status);
  if (countsGenerations(kind) && isChanged(kind, copy, previous)) {
    copy.metadata = { ...copy.metadata, generation: (previous.metadata?.generation ?? 0) + 1 };
  }
  return copy;
}

/** Kubernetes shows no metadata without content: the last owner or label that goes takes the field with it. */
function withoutEmptyMetadata<T extends KubeObject>(copy: T): T {
  const metadata = copy.metadata as Fields | undefined;
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences']) {
    const value = metadata?.[field];
    if (metadata && typeof value === 'object' && value !== null && Object.keys(value).length === 0)
      delete metadata[field];
  }
  return copy;
}

function onlyStatus<T extends KubeObject>(kind: KindDefinition<T>, next: T, previous: T): T {
  const metadata = kind.statusWritesMetadata
    ? next.metadata
    : { ...previous.metadata, resourceVersion: next.metadata?.resourceVersion };
  return { ...previous, metadata, status: (next as Fields).status };
}

function keepSystemMetadata(copy: KubeObject, previous: KubeObject): void {
  const metadata: Fields = { ...copy.metadata };
  const before: Fields = { ...previous.metadata };
  metadata.uid ??= before.uid;
  metadata.creationTimestamp ??= before.creationTimestamp;
  for (const field of ['generation', 'deletionTimestamp', 'deletionGracePeriodSeconds']) {
    setField(metadata, field, before[field]);
  }
  copy.metadata = metadata;
}

function setField(target: object, field: string, value: unknown): void {
  if (value === undefined) delete (target as Fields)[field];
  else (target as Fields)[field] = clone(value);
}

const countsGenerations = (kind: KindDefinition) =>
  kind.countsGenerations ??
  (kind.custom !== undefined ||
    (kind.subresources.status !== undefined && kind.schema.fields?.spec !== undefined));

function isChanged(kind: KindDefinition, next: KubeObject, previous: KubeObject): boolean {
  // Of a kind that does not write its status apart, the status is a part like others.
  if (kind.custom) return !isEqualJson({ ...next, metadata: null }, { ...previous, metadata: null });
  return !isEqualSemantically(desired(next), desired(previous));
}

function desired(object: KubeObject): Fields {
  const { metadata: _metadata, status: _status, ...rest } = object as KubeObject & { status?: unknown };
  return rest;
}
