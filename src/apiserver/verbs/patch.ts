import type { KubeObject } from '../../api/object.ts';
import { jsonPatch } from '../../api/patch/json-patch.ts';
import { mergePatch } from '../../api/patch/merge-patch.ts';
import { strategicMergePatch } from '../../api/patch/strategic-merge-patch.ts';
import { StatusError } from '../../base/errors.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { readWriteOptions } from '../options.ts';
import { change } from './update.ts';

const jsonType = 'application/json-patch+json';
const mergeType = 'application/merge-patch+json';
const strategicType = 'application/strategic-merge-patch+json';
const applyTypes = ['application/apply-patch+yaml', 'application/apply-patch+cbor'];

/** Answers a PATCH of an object or of its status. */
export async function patch(context: Context, call: Call): Promise<KubeObject> {
  const options = readWriteOptions(call.request.query);
  const apply = readPatch(call);
  const part = call.info.subresource === undefined ? 'main' : 'status';
  return change(context, call, {
    part,
    dryRun: options.dryRun,
    next: (current) => readObject(call, apply(current), options.fieldValidation),
  });
}

/** The patch in the request's body, as a function from the current object to a fresh, patched one. */
export function readPatch(call: Call): (current: object) => unknown {
  const type = (call.request.headers['content-type'] ?? '').split(';')[0]!.trim();
  const { body } = call.request;
  if (type === jsonType) return (current) => jsonPatch(current, body);
  if (type === mergeType) return (current) => mergePatch(current, body);
  if (type === strategicType) return (current) => strategicMergePatch(call.resource.kind, current, body);
  const supported = [jsonType, mergeType, strategicType].join(', ');
  const hint = applyTypes.includes(type)
    ? '; server-side apply is not served yet: use kubectl apply without --server-side'
    : '';
  throw new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${supported}${hint}`,
  );
}
