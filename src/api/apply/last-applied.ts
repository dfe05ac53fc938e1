import { decode } from '../decode.ts';
import type { KindDefinition } from '../kind.ts';
import { apiVersionOf, type KubeObject } from '../object.ts';
import { changedFields, removedFields } from './compare.ts';
import { difference, type FieldSet, union } from './field-set.ts';
import { fieldsOf } from './fields-of.ts';
import type { Writer } from './managers.ts';

/** Where `kubectl apply` without --server-side keeps what it applied. */
export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** The manager that `kubectl apply --server-side` is unless told otherwise. */
const kubectl = 'kubectl';
/** A longer configuration is not noted (as in Kubernetes, whose annotations have this bound together). */
const annotationBytesMax = 256 * 1024;

/**
 * The fields that kubectl applied on the client's side and that nobody changed since: kubectl may take them over
 * from its former self without a conflict.
 */
export function allowedByLastApplied(
  kind: KindDefinition,
  writer: Writer,
  live: KubeObject,
): FieldSet | undefined {
  const text = live.metadata?.annotations?.[lastAppliedAnnotation];
  if (writer.manager !== kubectl || !text) return undefined;
  let applied: KubeObject;
  try {
    applied = JSON.parse(text);
    if (applied.apiVersion !== apiVersionOf(kind)) return undefined;
    applied = decode(kind, applied, { fieldValidation: 'Ignore' }).object;
  } catch {
    // The annotation is the client's: one that cannot be read allows nothing.
    return undefined;
  }
  const differing = union(
    changedFields(kind.schema, live, applied),
    removedFields(kind.schema, applied, live),
  );
  return difference(fieldsOf(kind.schema, applied), differing);
}

/** The annotations with this configuration noted, for kubectl and only where an earlier one was. */
export function withLastApplied(
  writer: Writer,
  live: KubeObject,
  merged: KubeObject,
  config: KubeObject,
): Record<string, string> | undefined {
  if (writer.manager !== kubectl || !live.metadata?.annotations?.[lastAppliedAnnotation]) return undefined;
  const text = `${JSON.stringify(config)}\n`;
  if (Buffer.byteLength(text) > annotationBytesMax) return undefined;
  return { ...merged.metadata?.annotations, [lastAppliedAnnotation]: text };
}
