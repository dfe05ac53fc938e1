import { invalid } from '../../api/invalid.ts';
import type { KubeObject } from '../../api/object.ts';
import { jsonPatch } from '../../api/patch/json-patch.ts';
import { mergePatch } from '../../api/patch/merge-patch.ts';
import { strategicMergePatch } from '../../api/patch/strategic-merge-patch.ts';
import { goQuoted } from '../../api/report.ts';
import { isStatus, StatusError } from '../../base/errors.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { badRequest, unsupportedMediaType } from '../failures.ts';
import { applyType, checkFieldManager, isApply } from '../field-manager.ts';
import { type FieldValidation, readWriteOptions } from '../options.ts';
import { apply } from './apply.ts';
import { change } from './update.ts';

const jsonType = 'application/json-patch+json';
const mergeType = 'application/merge-patch+json';
const strategicType = 'application/strategic-merge-patch+json';

/** Answers a PATCH of an object or of its status. `allowCreate` throws for a user that may not create by applying. */
export async function patch(
  context: Context,
  call: Call,
  allowCreate: () => void,
): Promise<{ code: number; object: KubeObject }> {
  checkFieldManager(call);
  const options = readWriteOptions(call.request);
  if (isApply(call)) return apply(context, call, allowCreate);
  const patched = readPatch(call);
  const part = call.info.subresource === undefined ? 'main' : 'status';
  const object = await change(context, call, {
    part,
    dryRun: options.dryRun,
    next: (current) => readPatched(call, current, patched(current), options.fieldValidation),
  });
  return { code: 200, object };
}

/** A patch names what it is for, and may no more rename it than make it an object of another kind. */
function readPatched(
  call: Call,
  current: KubeObject,
  patched: unknown,
  fieldValidation: FieldValidation,
): KubeObject {
  const object = asInvalidPatch(call, patched, () => readObject(call, patched, fieldValidation));
  const { name, namespace, uid } = object.metadata ?? {};
  const held = current.metadata!;
  if (name !== held.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${held.name})`);
  }
  if (namespace !== held.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (uid !== held.uid) {
    const message = `Invalid value: ${JSON.stringify(uid ?? '')}: field is immutable`;
    const cause = { field: 'metadata.uid', reason: 'FieldValueInvalid', message };
    throw invalid(call.resource.kind, held.name, [cause, cause]);
  }
  return object;
}

/** A patch whose outcome is no object of the kind is itself what is wrong. */
function asInvalidPatch<T>(call: Call, patched: unknown, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isStatus(error, 'BadRequest') || call.resource.kind.custom) throw error;
    const { kind, version } = call.resource.kind;
    const prefix = `${kind} in version "${version}" cannot be handled as a ${kind}: `;
    const why = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
    const { body } = call.request;
    // Of a strategic merge patch Kubernetes shows the patch, of the others what comes of them.
    const shown = typeOf(call) === strategicType ? goMap(body) : JSON.stringify(patched);
    const message = `Invalid value: ${goQuoted(shown)}: ${why}`;
    throw invalid({ group: '', kind: '' }, '', [{ field: 'patch', reason: 'FieldValueInvalid', message }]);
  }
}

/** Of a patch that does not fit the object, Kubernetes says no more. */
function fitting<T>(patched: () => T): T {
  try {
    return patched();
  } catch (error) {
    if (!isStatus(error, 'Invalid')) throw error;
    const message = 'the server rejected our request due to an error in our request';
    throw new StatusError('Invalid', message, { details: {}, cause: error });
  }
}

const typeOf = ({ request }: Call) => (request.headers['content-type'] ?? '').split(';')[0]!.trim();

/** As Go's `%v` prints what JSON holds. */
function goMap(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goMap).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([name, item]) => `${name}:${goMap(item)}`).join(' ')}]`;
}

/** The patch in the request's body, as a function from the current object to a fresh, patched one. */
export function readPatch(call: Call): (current: object) => unknown {
  const type = typeOf(call);
  const { body } = call.request;
  if (type === jsonType) return (current) => fitting(() => jsonPatch(current, body));
  if (type === mergeType) return (current) => mergePatch(current, body);
  const { kind } = call.resource;
  if (type !== strategicType) throw unsupportedMediaType();
  if (!kind.custom) return (current) => strategicMergePatch(kind, current, body);
  const supported = [jsonType, mergeType, applyType].join(', ');
  throw new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${supported}`,
  );
}
