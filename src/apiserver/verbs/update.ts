import { trackUpdate } from '../../api/apply/track-update.ts';
import { defaults } from '../../api/defaults.ts';
import { isEqualJson } from '../../api/equal.ts';
import { invalid } from '../../api/invalid.ts';
import type { KubeObject } from '../../api/object.ts';
import { prepareForUpdate } from '../../api/prepare.ts';
import { validate, validateUpdate } from '../../api/validate.ts';
import { toTime } from '../../base/clock.ts';
import { isStatus } from '../../base/errors.ts';
import type { Admission } from '../admission/chain.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { badRequest, conflict, notFound } from '../failures.ts';
import { checkFieldManager, isUntracked, writerOf } from '../field-manager.ts';
import { readWriteOptions } from '../options.ts';
import { keyOf, objectOf, storedValueOf } from '../stored.ts';
import type { Allocation } from '../strategies/strategy.ts';
import { createObject, takeNamespace } from './create.ts';
import { inClientsWords } from './write-checks.ts';

/** How often a write that lost a race is tried on the newer object before the client hears of it. */
const conflictTriesMax = 32;

/** Which part of an object a write may change. */
export type Part = 'main' | 'status' | 'any';

/** Answers a PUT of an object or of its status. `allowCreate` throws for a user that may not create by it. */
export async function update(
  context: Context,
  call: Call,
  allowCreate: () => void,
): Promise<{ code: number; object: KubeObject }> {
  const options = readWriteOptions(call.request);
  checkFieldManager(call);
  const body = readObject(call, call.request.body, options.fieldValidation);
  const name = call.info.name!;
  const metadata = { ...body.metadata };
  body.metadata = metadata;
  takeNamespace(call, metadata);
  metadata.name ||= name;
  if (metadata.name !== name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  const part = call.info.subresource === undefined ? 'main' : 'status';
  const key = keyOf(call.resource.kind, call.info.namespace, name);
  if (part === 'main' && call.resource.strategy.isCreatedOnUpdate && !context.store.get(key)) {
    allowCreate();
    return { code: 201, object: await createObject(context, call, body, options.dryRun) };
  }
  const object = await change(context, call, { part, dryRun: options.dryRun, next: () => body });
  return { code: 200, object };
}

export interface Change {
  part: Part;
  dryRun: boolean;
  /** True where `next` has settled who owns which field. */
  isApplied?: true;
  /** True where `next` has checked itself what it changes: a subresource may change what a write of the object may not. */
  isChecked?: true;
  /** True for a part of a request that admission has let in as a whole. */
  isAdmitted?: true;
  /** Makes the wanted object from the current one, which is shared. Runs again after a lost race. */
  next(current: KubeObject): KubeObject;
  /** What admission sees of a subresource that has a form of its own, and how what it made of that is taken in. */
  seenAs?: { show(object: KubeObject): KubeObject; take(object: KubeObject, seen: KubeObject): KubeObject };
}

/** Reads, changes and writes one object; what is unchanged is not written. */
export async function change(context: Context, call: Call, change: Change): Promise<KubeObject> {
  const name = call.info.name!;
  const key = keyOf(call.resource.kind, call.info.namespace, name);
  for (let tries = 1; ; tries++) {
    const stored = context.store.get(key);
    if (!stored) throw notFound(call.resource.kind, name);
    const current = objectOf(stored, call.resource.kind);
    const admission = beginAdmission(context, call, change, current);
    let wanted = change.next(current);
    if (admission?.mutates) wanted = await mutate(call, admission, wanted, change);
    const next = prepare(context, call, wanted, current, change);
    if (admission) {
      admission.object = change.seenAs?.show(next) ?? next;
      await admission.validate();
    }
    if (isEqualJson(next, current)) {
      admission?.settle(false);
      return current;
    }
    let allocation: Allocation | undefined;
    try {
      allocation = call.resource.strategy.allocate?.(next, current);
      if (change.dryRun) {
        allocation?.undo();
        admission?.settle(false);
        return next;
      }
      if (isGone(call, next)) return await remove(context, call, key, stored.revision, next);
      const updated = await context.store.update(
        key,
        storedValueOf(next, call.resource.kind),
        stored.revision,
      );
      allocation?.keep();
      admission?.settle(true);
      return objectOf(updated, call.resource.kind);
    } catch (error) {
      allocation?.undo();
      admission?.settle(false);
      if (!isStatus(error, 'Conflict') || tries >= conflictTriesMax) {
        throw inClientsWords(error, call.resource, name);
      }
    }
  }
}

function beginAdmission(context: Context, call: Call, change: Change, current: KubeObject) {
  if (change.isAdmitted) return undefined;
  return context.admission.begin(call, {
    operation: 'UPDATE',
    name: call.info.name!,
    oldObject: change.seenAs?.show(current) ?? current,
    dryRun: change.dryRun,
  });
}

/** What admission makes of the wanted object, in a copy; the metadata that only the server settles stay. */
async function mutate(
  call: Call,
  admission: Admission,
  wanted: KubeObject,
  { seenAs }: Change,
): Promise<KubeObject> {
  const { managedFields, ...metadata } = wanted.metadata ?? {};
  const seen = defaults(call.resource.kind, { ...wanted, metadata });
  admission.object = seenAs?.show(seen) ?? seen;
  await admission.mutate();
  const object = seenAs?.take(seen, admission.object) ?? admission.object;
  return withManagedFields(object, managedFields);
}

/** Settles what a client may not change, then defaults and validates. */
function prepare(
  context: Context,
  call: Call,
  wanted: KubeObject,
  current: KubeObject,
  { part, isApplied, isChecked }: Change,
): KubeObject {
  const { kind, strategy } = call.resource;
  checkStillCurrent(call, wanted.metadata ?? {}, current.metadata!);
  const next = { ...wanted, metadata: settleMetadata(wanted.metadata ?? {}, current.metadata!) };
  if (part === 'any') return withManagedFields(next, current.metadata!.managedFields);
  const prepared = prepareForUpdate(
    kind,
    next,
    withManagedFields(current, undefined),
    part === 'status' ? 'status' : '',
  );
  if (part === 'main') strategy.prepareUpdate?.(prepared, current, call.user);
  const complete = defaults(kind, prepared);
  strategy.admit?.(complete, current, call.user);
  const causes = validate(kind, complete, current);
  if (!isChecked) causes.push(...validateUpdate(kind, complete, current));
  if (causes.length > 0) throw invalid(kind, current.metadata!.name, causes);
  const managedFields = isApplied
    ? wanted.metadata?.managedFields
    : tracked(context, call, wanted, current, complete);
  return withManagedFields(complete, managedFields);
}

/** The managedFields after a write that is no apply. Clients may mend them, but not through a subresource. */
function tracked(
  context: Context,
  call: Call,
  wanted: KubeObject,
  previous: KubeObject,
  next: KubeObject,
): unknown[] | undefined {
  const { kind } = call.resource;
  if (isUntracked(call, previous, next)) return previous.metadata?.managedFields;
  const sent = call.info.subresource === undefined ? wanted.metadata?.managedFields : undefined;
  const given = isEqualJson(sent, previous.metadata?.managedFields) ? undefined : sent;
  const time = toTime(context.clock.nowMs());
  return trackUpdate({ kind, writer: writerOf(call), time, previous, next, given });
}

function withManagedFields(object: KubeObject, managedFields: unknown[] | undefined): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: managedFields ? { ...metadata, managedFields } : metadata };
}

type Metadata = NonNullable<KubeObject['metadata']>;

function checkStillCurrent(call: Call, wanted: Metadata, held: Metadata): void {
  const { kind } = call.resource;
  if (wanted.resourceVersion && wanted.resourceVersion !== held.resourceVersion)
    throw conflict(kind, held.name!);
  if (wanted.uid && wanted.uid !== held.uid) {
    const why =
      `StorageError: invalid object, Code: 4, Key: ${etcdKey(kind, held)}, ResourceVersion: 0, ` +
      `AdditionalErrorMsg: Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${held.uid}`;
    throw conflict(kind, held.name!, why);
  }
}

/** Where Kubernetes keeps the object, which its message tells; some built-in kinds have older names there. */
function etcdKey({ group, plural, custom }: Call['resource']['kind'], { namespace, name }: Metadata): string {
  const folder = custom ? `${group}/${plural}` : (etcdFolders[plural] ?? plural);
  return ['/registry', folder, ...(namespace ? [namespace] : []), name].join('/');
}

const etcdFolders: Record<string, string> = {
  endpoints: 'services/endpoints',
  ingresses: 'ingress',
  nodes: 'minions',
  replicationcontrollers: 'controllers',
  services: 'services/specs',
};

const settledByServer = [
  'name',
  'namespace',
  'uid',
  'generateName',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'resourceVersion',
] as const;

/** What a client says of these fields on an update is passed over, as Kubernetes does. */
function settleMetadata(wanted: Metadata, held: Metadata): Metadata {
  const metadata: Record<string, unknown> = { ...wanted };
  for (const field of settledByServer) {
    if (held[field] === undefined) delete metadata[field];
    else metadata[field] = held[field];
  }
  delete metadata.managedFields;
  return metadata;
}

/** Whether nothing holds an object any more whose deletion has begun. */
export function isGone(call: Call, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata!;
  if (!deletionTimestamp || (finalizers?.length ?? 0) > 0) return false;
  return (deletionGracePeriodSeconds ?? 0) === 0 && !call.resource.strategy.isHeld?.(object);
}

/** Takes an object out of the store. */
export async function remove(
  context: Context,
  call: Call,
  key: string,
  revision: number,
  last: KubeObject,
): Promise<KubeObject> {
  const deleted = await context.store.delete(key, revision);
  call.resource.strategy.removed?.(last);
  return { ...last, metadata: { ...last.metadata, resourceVersion: String(deleted.revision) } };
}
