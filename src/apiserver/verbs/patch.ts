import type { KubeObject } from '../../api/object.ts';
import { jsonPatch } from '../../api/patch/json-patch.ts';
import { mergePatch } from '../../api/patch/merge-patch.ts';
import { strategicMergePatch } from '../../api/patch/strategic-merge-patch.ts';
import { StatusError } from '../../base/errors.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { applyType, checkFieldManager, isApply } from '../field-manager.ts';
import { readWriteOptions } from '../options.ts';
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
  const options = readWriteOptions(call.request.query);
  if (isApply(call)) return apply(context, call, allowCreate);
  const patched = readPatch(call);
  const part = call.info.subresource === undefined ? 'main' : 'status';
  const object = await change(context, call, {
    part,
    dryRun: options.dryRun,
    next: (current) => readObject(call, patched(current), options.fieldValidation),
  });
  return { code: 200, object };
}

/** The patch in the request's body, as a function from the current object to a fresh, patched one. */
export function readPatch(call: Call): (current: object) => unknown {
  const type = (call.request.headers['content-type'] ?? '').split(';')[0]!.trim();
  const { body } = call.request;
  if (type === jsonType) return (current) => jsonPatch(current, body);
  if (type === mergeType) return (current) => mergePatch(current, body);
  const { kind } = call.resource;
  if (type === strategicType && !kind.custom) return (current) => strategicMergePatch(kind, current, body);
  const supported = [jsonType, mergeType, ...(kind.custom ? [] : [strategicType]), applyType].join(', ');
  throw new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${supported}`,
  );
}
