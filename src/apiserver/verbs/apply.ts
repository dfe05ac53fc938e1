import { applyConfiguration } from '../../api/apply/apply-configuration.ts';
import { decode } from '../../api/decode.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import { toTime } from '../../base/clock.ts';
import { isStatus } from '../../base/errors.ts';
import { parsedBody } from '../body.ts';
import type { Call, Context } from '../context.ts';
import { badRequest, notFound } from '../failures.ts';
import { readApplyOptions } from '../field-manager.ts';
import { isRecord, readWriteOptions } from '../options.ts';
import { keyOf } from '../stored.ts';
import { createObject, takeNamespace } from './create.ts';
import { type Change, change } from './update.ts';

/**
 * Answers a PATCH of the type `application/apply-patch+yaml`: server-side apply, which makes the object where there
 * is none. `allowCreate` throws for a user that may not create.
 */
export async function apply(
  context: Context,
  call: Call,
  allowCreate: () => void,
): Promise<{ code: number; object: KubeObject }> {
  const config = readConfiguration(call, call.request.body);
  const { kind } = call.resource;
  const name = call.info.name!;
  if (context.store.get(keyOf(kind, call.info.namespace, name))) {
    return { code: 200, object: await applyConfig(context, call, config) };
  }
  if (call.info.subresource !== undefined) throw notFound(kind, name);
  allowCreate();
  try {
    return { code: 201, object: await createApplied(context, call, config) };
  } catch (error) {
    // Somebody else made it in the meantime.
    if (!isStatus(error, 'AlreadyExists')) throw error;
    return { code: 200, object: await applyConfig(context, call, config) };
  }
}

/** Applies a decoded configuration to an object that exists. */
export function applyConfig(
  context: Context,
  call: Call,
  config: KubeObject,
  seenAs?: Change['seenAs'],
): Promise<KubeObject> {
  const { writer, force } = readApplyOptions(call);
  const { kind } = call.resource;
  return change(context, call, {
    part: call.info.subresource === 'status' ? 'status' : 'main',
    dryRun: readWriteOptions(call.request).dryRun,
    isApplied: true,
    ...(seenAs && { seenAs }),
    next: (live) => {
      const time = toTime(context.clock.nowMs());
      const { object, managedFields } = applyConfiguration({ kind, writer, time, live, config, force });
      return { ...object, metadata: { ...object.metadata, ...(managedFields && { managedFields }) } };
    },
  });
}

function createApplied(context: Context, call: Call, config: KubeObject): Promise<KubeObject> {
  const { writer, force } = readApplyOptions(call);
  const { kind } = call.resource;
  const time = toTime(context.clock.nowMs());
  const applied = applyConfiguration({ kind, writer, time, live: undefined, config, force });
  const { dryRun } = readWriteOptions(call.request);
  return createObject(context, call, structuredClone(applied.object), dryRun, applied.managedFields ?? []);
}

/** Decodes the body, and keeps of it what this path may write. */
function readConfiguration(call: Call, body: unknown): KubeObject {
  readApplyOptions(call);
  const { kind } = call.resource;
  const { fieldValidation } = readWriteOptions(call.request);
  if (!isRecord(body)) throw badRequest('error decoding YAML: an applied configuration must be an object');
  checkVersion(call, body);
  const { duplicates } = parsedBody.get(call.request) ?? { duplicates: [] };
  const { object, warnings } = decode(kind, body, { fieldValidation: 'Warn', duplicates });
  const unknown = warnings.map((warning) => /^unknown field "(.*)"$/.exec(warning)?.[1]).find(Boolean);
  const metadata = { ...object.metadata };
  if (unknown) {
    const what = `${call.info.namespace ?? ''}/${call.info.name}; ${apiVersionOf(kind)}, Kind=${kind.kind}`;
    throw badRequest(
      `failed to create typed patch object (${what}): .${unknown}: field not declared in schema`,
    );
  }
  if (fieldValidation === 'Strict' && warnings.length > 0) {
    throw badRequest(`error strict decoding YAML: ${warnings.join(', ')}`);
  }
  if (fieldValidation === 'Warn') call.warnings.push(...warnings);
  if (metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  takeNamespace(call, metadata);
  metadata.name ||= call.info.name!;
  if (metadata.name !== call.info.name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${call.info.name})`,
    );
  }
  return onlyPart(call, { ...object, metadata });
}

function checkVersion(call: Call, { apiVersion, kind }: Record<string, unknown>): void {
  const expected = apiVersionOf(call.resource.kind);
  if (typeof kind !== 'string' || kind === '') {
    throw badRequest("Object 'Kind' is missing in the applied configuration");
  }
  if (kind !== call.resource.kind.kind || !apiVersion) {
    throw badRequest(`invalid object type: ${groupVersionText(apiVersion)}, Kind=${kind}`);
  }
  if (apiVersion !== expected) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${apiVersion}, expected: ${expected}`,
    );
  }
}

/** With the slash that Go prints also where there is no group. */
function groupVersionText(apiVersion: unknown): string {
  const text = typeof apiVersion === 'string' ? apiVersion : '';
  return text.includes('/') ? text : `/${text}`;
}

/** The status is applied through its subresource, and nothing but the status there. */
function onlyPart(call: Call, config: KubeObject): KubeObject {
  const { kind } = call.resource;
  const { status, ...rest } = config as KubeObject & { status?: unknown };
  if (call.info.subresource === 'status') {
    const { name, namespace, resourceVersion, uid, labels, annotations } = config.metadata!;
    const metadata = {
      name: name!,
      ...(namespace !== undefined && { namespace }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(uid !== undefined && { uid }),
      ...(kind.statusWritesMetadata && labels && { labels }),
      ...(kind.statusWritesMetadata && annotations && { annotations }),
    };
    const { apiVersion, kind: kindName } = config;
    return {
      apiVersion: apiVersion!,
      kind: kindName!,
      metadata,
      ...(status !== undefined && { status }),
    } as KubeObject;
  }
  return kind.subresources.status ? rest : config;
}
