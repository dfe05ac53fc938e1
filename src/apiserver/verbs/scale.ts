import { invalid } from '../../api/invalid.ts';
import type { ScalePaths } from '../../api/kind.ts';
import { labelSelectorText } from '../../api/label-selector.ts';
import { apiVersionOf, type KubeObject } from '../../api/object.ts';
import type { LabelSelector } from '../../api/parts/meta.ts';
import { mergePatch } from '../../api/patch/merge-patch.ts';
import type { Call, Context } from '../context.ts';
import { badRequest, conflict, type Named, notFound } from '../failures.ts';
import { checkFieldManager, isApply } from '../field-manager.ts';
import { isRecord, readWriteOptions } from '../options.ts';
import { keyOf, objectOf } from '../stored.ts';
import { applyConfig } from './apply.ts';
import { readPatch } from './patch.ts';
import { type Change, change } from './update.ts';

/** `autoscaling/v1` Scale. */
export interface Scale extends KubeObject {
  spec: { replicas: number };
  status: { replicas: number; selector?: string };
}

/** What Kubernetes calls the scale of an object that there is not; that of other kinds it calls as the object. */
const scaleNames: Record<string, Named> = {
  deployments: { group: 'apps', plural: 'deployments/scale', kind: 'Scale' },
  replicasets: { group: 'apps', plural: 'replicasets/scale', kind: 'Scale' },
  replicationcontrollers: { group: 'autoscaling', plural: 'replicationcontrollers/scale', kind: 'Scale' },
};

/** Answers GET, PUT and PATCH of the scale subresource. */
export async function scale(context: Context, call: Call): Promise<KubeObject> {
  const { verb, name, namespace } = call.info;
  const paths = call.resource.kind.subresources.scale!;
  const stored = context.store.get(keyOf(call.resource.kind, namespace, name!));
  if (!stored) throw notFound(scaleNames[call.resource.kind.plural] ?? call.resource.kind, name!);
  if (verb === 'get') {
    return scaleOf(objectOf(stored, call.resource.kind), paths);
  }
  checkFieldManager(call);
  const seenAs: Change['seenAs'] = {
    show: (object) => scaleOf(object, paths),
    take: (object, seen) => withReplicas(call, object, seen, paths),
  };
  if (isApply(call)) {
    return scaleOf(await applyConfig(context, call, configurationOf(call, paths), seenAs), paths);
  }
  const { dryRun } = readWriteOptions(call.request);
  const next = verb === 'update' ? () => call.request.body : readScalePatch(call);
  const changed = await change(context, call, {
    part: 'main',
    dryRun,
    seenAs,
    next: (current) => {
      const wanted = next(scaleOf(current, paths));
      return withReplicas(call, current, wanted, paths);
    },
  });
  return scaleOf(changed, paths);
}

/** A Scale has no lists that merge, so a strategic merge patch of it is a merge patch. */
function readScalePatch(call: Call): (current: object) => unknown {
  const type = call.request.headers['content-type'] ?? '';
  if (!type.startsWith('application/strategic-merge-patch+json')) return readPatch(call);
  return (current) => mergePatch(current, call.request.body);
}

/** What an applied Scale says of the object that is scaled. */
function configurationOf(call: Call, paths: ScalePaths): KubeObject {
  const { kind } = call.resource;
  const { name, namespace } = call.info;
  const { body } = call.request;
  const sent = isRecord(body) && isRecord(body.metadata) ? body.metadata : {};
  const metadata = {
    name: name!,
    ...(kind.namespaced && { namespace: namespace! }),
    ...(typeof sent.resourceVersion === 'string' && { resourceVersion: sent.resourceVersion }),
  };
  const config = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata };
  return withReplicas(call, config, body, paths);
}

function withReplicas(call: Call, current: KubeObject, wanted: unknown, paths: ScalePaths): KubeObject {
  if (!isRecord(wanted)) throw badRequest('the body must be an autoscaling/v1 Scale');
  const name = call.info.name!;
  const metadata = (wanted.metadata ?? {}) as { resourceVersion?: string };
  if (metadata.resourceVersion && metadata.resourceVersion !== current.metadata!.resourceVersion) {
    throw conflict(call.resource.kind, name);
  }
  const replicas = (isRecord(wanted.spec) ? wanted.spec.replicas : undefined) ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
    const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`;
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
      { reason: 'FieldValueInvalid', message, field: 'spec.replicas' },
    ]);
  }
  const next = structuredClone(current);
  writeAt(next, paths.specReplicas, replicas);
  return next;
}

function scaleOf(object: KubeObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata!;
  const selector = paths.selector === '' ? '' : selectorText(readAt(object, paths.selector));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name: name!,
      ...(namespace !== undefined && { namespace }),
      uid: uid!,
      resourceVersion: resourceVersion!,
      creationTimestamp: creationTimestamp!,
    },
    spec: { replicas: Number(readAt(object, paths.specReplicas) ?? 0) },
    status: {
      replicas: Number(readAt(object, paths.statusReplicas) ?? 0),
      ...(selector !== '' && { selector }),
    },
  };
}

/** A kind's selector is a LabelSelector, or its text already. */
function selectorText(selector: unknown): string {
  // A ReplicationController's selector is plain labels.
  const isPlain = isRecord(selector) && Object.values(selector).every((value) => typeof value === 'string');
  if (isPlain) return labelSelectorText({ matchLabels: selector as Record<string, string> });
  return typeof selector === 'string' ? selector : labelSelectorText(selector as LabelSelector | undefined);
}

function readAt(object: object, path: string): unknown {
  let value: unknown = object;
  for (const part of partsOf(path)) value = isRecord(value) ? value[part] : undefined;
  return value;
}

function writeAt(object: object, path: string, value: unknown): void {
  const parts = partsOf(path);
  const last = parts.pop()!;
  let at = object as Record<string, unknown>;
  for (const part of parts) {
    at[part] = { ...(at[part] as object | undefined) };
    at = at[part] as Record<string, unknown>;
  }
  at[last] = value;
}

/** `.spec.replicas` -> ['spec', 'replicas']. */
function partsOf(path: string): string[] {
  return path.split('.').filter((part) => part !== '');
}
