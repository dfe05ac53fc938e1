import { isEqualJson } from '../api/equal.ts';
import type { KindDefinition } from '../api/kind.ts';
import { apiVersionOf, type KindAddress, type KubeObject, type OwnerReference } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { aggregatedKinds } from './aggregated-kinds.ts';
import { type Context, runController, source } from './controller.ts';
import { customKinds } from './custom-kinds.ts';
import { foregroundFinalizer, type OwnerState, orphanFinalizer, plan } from './garbage-collector/plan.ts';
import { keyOfMeta } from './owner.ts';

/** Of so many objects owners of unknown kinds are looked for again when a kind comes. */
export const puzzlingMax = 10_000;

/** Deletes what has lost its owners, for all of `kinds`, custom resources and what other API servers serve. */
export function run(context: Context, kinds: readonly KindDefinition[]): Running {
  const { client, informers } = context;
  // Events come in numbers, own nothing and are owned by nothing.
  const builtIn: KindAddress[] = kinds.filter(
    ({ kind, storedAs, verbs }) => kind !== 'Event' && !storedAs && verbs.includes('watch'),
  );
  const events = context.recorder('garbage-collector-controller');
  /** What has owners of kinds that nobody knows yet. */
  const puzzling = new Set<string>();
  const waiting = () => [...puzzling];
  const custom = customKinds((kind, change) => keysFor(kind, change), undefined, waiting);
  const elsewhere = aggregatedKinds(context, (kind, change) => keysFor(kind, change), waiting);
  const followed = () => [...builtIn, ...custom.kinds(), ...elsewhere.kinds()];
  const byName = new Map(builtIn.map((kind) => [nameOf(kind), kind]));
  const byReference = new Map(kinds.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, mainKind(kind)]));
  const kindOf = ({ apiVersion, kind }: OwnerReference) =>
    byReference.get(`${apiVersion}/${kind}`) ??
    custom.find(apiVersion, kind) ??
    elsewhere.find(apiVersion, kind);

  /** Dependents of a namespaced owner are in its namespace; an owner elsewhere is none. */
  const dependentsOf = (owner: KubeObject): Dependent[] => {
    const { uid = '', namespace } = owner.metadata ?? {};
    return followed().flatMap((kind) =>
      informers
        .of(kind)
        .byIndex('owner', uid)
        .filter(({ metadata }) => namespace === undefined || metadata?.namespace === namespace)
        .map((object) => ({ kind, object })),
    );
  };

  const keysFor = (kind: KindAddress, change: Change<KubeObject>): string[] => {
    const { object } = change;
    const isWaiting = object.metadata?.deletionTimestamp && hasOurFinalizer(object);
    const keys: string[] = [];
    if (change.type === 'deleted' || isWaiting) {
      for (const { kind: other, object: dependent } of dependentsOf(object))
        keys.push(keyFor(other, dependent));
    }
    if (change.type === 'deleted') return [...keys, ...waitingOwners(object)];
    const hasNewOwners =
      change.type === 'added'
        ? object.metadata?.ownerReferences?.length
        : !isEqualJson(object.metadata?.ownerReferences, change.previous.metadata?.ownerReferences);
    if (isWaiting || hasNewOwners) keys.push(keyFor(kind, object));
    if (change.type === 'modified' && hasNewOwners) keys.push(...waitingOwners(change.previous));
    return keys;
  };

  /** An owner that waits for its dependents may go on when one of them goes, or is no longer its own. */
  const waitingOwners = (dependent: KubeObject): string[] =>
    (dependent.metadata?.ownerReferences ?? []).flatMap((reference) => {
      const ownerKind = kindOf(reference);
      const owner = ownerKind && cached(ownerKind, reference, dependent);
      return ownerKind && owner?.metadata?.deletionTimestamp ? [keyFor(ownerKind, owner)] : [];
    });

  const cached = (kind: KindAddress, { name }: OwnerReference, dependent: KubeObject) => {
    if (!followed().includes(kind)) return undefined;
    const namespace = kind.namespaced ? dependent.metadata?.namespace : undefined;
    return informers.of(kind).get(namespace ? `${namespace}/${name}` : name);
  };

  async function stateOf(reference: OwnerReference, dependent: Dependent): Promise<OwnerState> {
    const kind = kindOf(reference);
    if (!kind) return 'unknown';
    const { namespace } = dependent.object.metadata ?? {};
    if (kind.namespaced && !namespace) {
      tellElsewhere(kind, reference, dependent);
      return 'unknown';
    }
    let owner: KubeObject | undefined = cached(kind, reference, dependent.object);
    if (owner?.metadata?.uid !== reference.uid) {
      // The cache of one kind may be behind that of another: ask, before anything is deleted for it.
      owner = await client
        .get(kind, {
          namespace: kind.namespaced ? namespace : undefined,
          name: reference.name,
        })
        .catch((error: unknown) => {
          if (isStatus(error, 'NotFound')) return undefined;
          throw error;
        });
    }
    if (owner?.metadata?.uid !== reference.uid) {
      tellElsewhere(kind, reference, dependent);
      return 'absent';
    }
    const isWaiting =
      owner.metadata.deletionTimestamp && owner.metadata.finalizers?.includes(foregroundFinalizer);
    return isWaiting ? 'waiting' : 'present';
  }

  /** An owner in another namespace is none, which surprises people who lose what they thought it owned. */
  function tellElsewhere(ownerKind: KindAddress, reference: OwnerReference, dependent: Dependent): void {
    if (!ownerKind.namespaced || !followed().includes(ownerKind)) return;
    const { apiVersion, kind, name, uid } = reference;
    const isElsewhere = informers
      .of(ownerKind)
      .list()
      .some(({ metadata }) => metadata?.uid === uid);
    if (!isElsewhere) return;
    const { namespace = '' } = dependent.object.metadata ?? {};
    const owner = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`;
    const message = `ownerRef ${owner} does not exist in namespace ${JSON.stringify(namespace)}`;
    const subject = subjectOf(dependent.kind, dependent.object);
    events.record(subject, 'Warning', 'OwnerRefInvalidNamespace', message);
  }

  async function reconcile(key: string): Promise<undefined> {
    const [kindName = '', objectKey = ''] = key.split('|');
    const others = [...custom.kinds(), ...elsewhere.kinds()];
    const kind = byName.get(kindName) ?? others.find((each) => nameOf(each) === kindName);
    const object = kind && informers.of(kind).get(objectKey);
    puzzling.delete(key);
    if (!object) return;
    const references = object.metadata?.ownerReferences ?? [];
    const owners: { reference: OwnerReference; state: OwnerState }[] = [];
    for (const reference of references) {
      owners.push({ reference, state: await stateOf(reference, { kind, object }) });
    }
    if (owners.some(({ state }) => state === 'unknown') && puzzling.size < puzzlingMax) puzzling.add(key);
    const dependents = dependentsOf(object);
    const action = plan(
      object,
      owners,
      dependents.map((each) => each.object),
    );
    switch (action.type) {
      case 'none':
        return;
      case 'delete':
        return remove(kind, action.unblocks ? await unblock(kind, object) : object, action.propagationPolicy);
      case 'dropOwners':
        return dropOwners(kind, object, action.uids);
      case 'removeFinalizer':
        return removeFinalizer(kind, object, action.finalizer);
      case 'orphanDependents':
        for (const dependent of dependents) {
          await dropOwners(dependent.kind, dependent.object, [object.metadata?.uid ?? '']);
        }
        return removeFinalizer(kind, object, orphanFinalizer);
    }
  }

  async function remove(
    kind: KindAddress,
    { metadata = {} }: KubeObject,
    propagationPolicy: 'Foreground' | 'Background' | 'Orphan',
  ): Promise<undefined> {
    const { uid = '', resourceVersion = '' } = metadata;
    // The resourceVersion too: an owner may have been added since we looked.
    const preconditions = { uid, resourceVersion };
    await client.delete(kind, keyOfMeta(metadata), { propagationPolicy, preconditions }).catch(ignoreGone);
  }

  async function unblock(kind: KindAddress, object: KubeObject): Promise<KubeObject> {
    const { uid, resourceVersion, ownerReferences = [] } = object.metadata ?? {};
    if (!ownerReferences.some(({ blockOwnerDeletion }) => blockOwnerDeletion)) return object;
    const freed = ownerReferences.map((each) =>
      each.blockOwnerDeletion ? { ...each, blockOwnerDeletion: false } : each,
    );
    const body = { metadata: { ownerReferences: freed, uid, resourceVersion } };
    return client.patch(kind, keyOfMeta(object.metadata ?? {}), { type: 'merge', body });
  }

  async function dropOwners(
    kind: KindAddress,
    { metadata = {} }: KubeObject,
    uids: readonly string[],
  ): Promise<undefined> {
    const ownerReferences = (metadata.ownerReferences ?? []).filter(({ uid }) => !uids.includes(uid));
    const { uid, resourceVersion } = metadata;
    const body = { metadata: { ownerReferences, uid, resourceVersion } };
    await client.patch(kind, keyOfMeta(metadata), { type: 'merge', body }).catch(ignoreGone);
  }

  async function removeFinalizer(
    kind: KindAddress,
    { metadata = {} }: KubeObject,
    finalizer: string,
  ): Promise<undefined> {
    const finalizers = (metadata.finalizers ?? []).filter((each) => each !== finalizer);
    const { uid, resourceVersion } = metadata;
    const body = { metadata: { finalizers, uid, resourceVersion } };
    await client.patch(kind, keyOfMeta(metadata), { type: 'merge', body }).catch(ignoreGone);
  }

  return runController(context, {
    name: 'garbage-collector',
    sources: [...builtIn.map((kind) => source(kind, (change) => keysFor(kind, change))), custom, elsewhere],
    reconcile,
  });
}

interface Dependent {
  kind: KindAddress;
  object: KubeObject;
}

/** The kind that an object lies in the store as. */
function mainKind(kind: KindDefinition): KindAddress {
  return kind.storedAs?.kind ?? kind;
}

function keyFor(kind: KindAddress, { metadata = {} }: KubeObject): string {
  const { namespace, name = '' } = metadata;
  return `${nameOf(kind)}|${namespace ? `${namespace}/${name}` : name}`;
}

function nameOf({ group, plural }: KindAddress): string {
  return `${plural}.${group}`;
}

function hasOurFinalizer({ metadata }: KubeObject): boolean {
  const finalizers = metadata?.finalizers ?? [];
  return finalizers.includes(foregroundFinalizer) || finalizers.includes(orphanFinalizer);
}

function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound')) throw error;
}
