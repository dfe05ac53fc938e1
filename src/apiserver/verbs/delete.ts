import type { KubeList, KubeObject } from '../../api/object.ts';
import { apiVersionOf } from '../../api/object.ts';
import { toTime } from '../../base/clock.ts';
import { isStatus, type Status } from '../../base/errors.ts';
import type { StoredObject } from '../../store/store.ts';
import type { Call, Context } from '../context.ts';
import { conflict, notFound } from '../failures.ts';
import { type DeleteOptions, readDeleteOptions, readListOptions } from '../options.ts';
import { keyOf, objectOf, storedValueOf } from '../stored.ts';
import { selectionOf } from './match.ts';
import { isGone, remove } from './update.ts';
import { inClientsWords } from './write-checks.ts';

const conflictTriesMax = 32;
/** The finalizers by which the garbage collector learns what to do with an object's dependents. */
const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** Answers a DELETE of one object: with the object where it stays for a while, else with a Status. */
export async function deleteOne(context: Context, call: Call): Promise<KubeObject | Status> {
  const options = readDeleteOptions(call.request.query, call.request.body);
  const name = call.info.name!;
  const warning = call.resource.strategy.warnDelete?.(options);
  if (warning) call.warnings.push(warning);
  const { object, isRemoved } = await deleteObject(context, call, name, options);
  if (!isRemoved || call.resource.strategy.answersDeleteWithObject) return object;
  const { kind } = call.resource;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name,
      ...(kind.group !== '' && { group: kind.group }),
      kind: kind.plural,
      uid: object.metadata!.uid!,
    },
  };
}

/** Deletes all that the selectors choose; answers with what was chosen. */
export async function deleteCollection(context: Context, call: Call): Promise<KubeList> {
  const options = readDeleteOptions(call.request.query, call.request.body);
  const { kind } = call.resource;
  const selection = selectionOf(call, readListOptions(call.request.query));
  const page = context.store.list(selection.prefix);
  const chosen = page.items
    .map((stored) => objectOf(stored, kind))
    .filter((object) => selection.matches(object));
  const items: KubeObject[] = [];
  for (const { metadata } of chosen) {
    const one = { ...call, info: { ...call.info, namespace: metadata!.namespace } };
    try {
      items.push((await deleteObject(context, one, metadata!.name!, options)).object);
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.listKind ?? `${kind.kind}List`,
    metadata: { resourceVersion: String(page.revision) },
    items,
  };
}

interface Deleted {
  object: KubeObject;
  /** False when the object stays until its finalizers or its grace period are done. */
  isRemoved: boolean;
}

/** Deletes one object, or begins its deletion. */
export async function deleteObject(
  context: Context,
  call: Call,
  name: string,
  options: DeleteOptions,
): Promise<Deleted> {
  const key = keyOf(call.resource.kind, call.info.namespace, name);
  for (let tries = 1; ; tries++) {
    const stored = context.store.get(key);
    if (!stored) throw notFound(call.resource.kind, name);
    try {
      return await deleteStored(context, call, stored, options);
    } catch (error) {
      if (!isStatus(error, 'Conflict') || error.details || tries >= conflictTriesMax) {
        throw inClientsWords(error, call.resource, name);
      }
    }
  }
}

async function deleteStored(
  context: Context,
  call: Call,
  stored: StoredObject,
  options: DeleteOptions,
): Promise<Deleted> {
  const current = objectOf(stored, call.resource.kind);
  checkPreconditions(call, current, options);
  const refusal = call.resource.strategy.refuseDelete?.(current);
  if (refusal) throw refusal;
  const next = beginDeletion(context, call, current, options);
  if (next !== current && !options.isAdmitted) {
    const { namespace, name } = current.metadata!;
    const write = { operation: 'DELETE', name: name!, oldObject: current, dryRun: options.dryRun } as const;
    const one = { ...call, info: { ...call.info, namespace, name } };
    await context.admission.begin(one, write)?.admit();
  }
  if (isGone(call, next)) {
    // What goes at once was never being deleted, but for kinds that have a time of grace.
    const last = call.resource.strategy.graceSeconds ? next : current;
    if (options.dryRun) return { object: last, isRemoved: true };
    return { object: await remove(context, call, stored.key, stored.revision, last), isRemoved: true };
  }
  if (options.dryRun || next === current) return { object: next, isRemoved: false };
  const updated = await context.store.update(
    stored.key,
    storedValueOf(next, call.resource.kind),
    stored.revision,
  );
  return { object: objectOf(updated, call.resource.kind), isRemoved: false };
}

function checkPreconditions(call: Call, current: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const metadata = current.metadata!;
  if (uid && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(call.resource.kind, metadata.name!, why);
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    const why =
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ` +
      `ResourceVersion in object meta: ${metadata.resourceVersion}`;
    throw conflict(call.resource.kind, metadata.name!, why);
  }
}

/** The object with its deletion begun: a copy, or the object itself where nothing changes any more. */
function beginDeletion(
  context: Context,
  call: Call,
  current: KubeObject,
  options: DeleteOptions,
): KubeObject {
  const { strategy } = call.resource;
  const held = current.metadata!;
  const graceSeconds = strategy.graceSeconds?.(current, options) ?? 0;
  const policy = options.propagationPolicy ?? (strategy.orphansByDefault ? 'Orphan' : undefined);
  const finalizers = finalizersFor(held.finalizers ?? [], policy);
  const isShorter = graceSeconds < (held.deletionGracePeriodSeconds ?? 0);
  const isBegun = held.deletionTimestamp !== undefined;
  if (isBegun && !isShorter && finalizers.length === (held.finalizers ?? []).length) return current;

  const next = structuredClone(current);
  const metadata = { ...held };
  next.metadata = metadata;
  if (!isBegun || isShorter) {
    metadata.deletionTimestamp = toTime(context.clock.nowMs() + graceSeconds * 1000);
    metadata.deletionGracePeriodSeconds = graceSeconds;
    if (held.generation) metadata.generation = held.generation + 1;
  }
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  strategy.beginDelete?.(next);
  return next;
}

/** `Background` asks for nothing; the other two policies leave word for the garbage collector. */
function finalizersFor(held: readonly string[], policy: DeleteOptions['propagationPolicy']): string[] {
  if (policy === undefined) return [...held];
  const others = held.filter(
    (finalizer) => finalizer !== orphanFinalizer && finalizer !== foregroundFinalizer,
  );
  if (policy === 'Orphan') return [...others, orphanFinalizer];
  return policy === 'Foreground' ? [...others, foregroundFinalizer] : others;
}
