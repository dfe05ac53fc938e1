import { isEqualJson } from '../api/equal.ts';
import type { KindDefinition } from '../api/kind.ts';
import { apiVersionOf, type KindAddress, type KubeObject, type OwnerReference } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { type Context, runController, source } from './controller.ts';
import { customKinds } from './custom-kinds.ts';
import { foregroundFinalizer, type OwnerState, orphanFinalizer, plan } from './garbage-collector/plan.ts';
import { keyOfMeta } from './owner.ts';

/** Deletes what has lost its owners, for all of `kinds` and custom resources; others' objects neither own nor are owned. */
export function run(context: Context, kinds: readonly KindDefinition[]): Running {
  const { client, informers } = context;
  // Events come in numbers, own nothing and are owned by nothing.
  const builtIn: KindAddress[] = kinds.filter(
    ({ kind, storedAs, verbs }) => kind !== 'Event' && !storedAs && verbs.includes('watch'),
  );
  const custom = customKinds((kind, change) => keysFor(kind, change));
  const followed = () => [...builtIn, ...custom.kinds()];
  const byName = new Map(builtIn.map((kind) => [nameOf(kind), kind]));
  const byReference = new Map(builtIn.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));
  const kindOf = ({ apiVersion, kind }: OwnerReference) =>
    byReference.get(`${apiVersion}/${kind}`) ?? custom.find(apiVersion, kind);

  /** Dependents of a namespaced owner are in its namespace; an owner elsewhere is none. */
  const dependentsOf = (owner: KubeObject): { kind: KindAddress; object: KubeObject }[] => {
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
    const namespace = kind.namespaced ? dependent.metadata?.namespace : undefined;
    return informers.of(kind).get(namespace ? `${namespace}/${name}` : name);
  };

  async function stateOf(reference: OwnerReference, dependent: KubeObject): Promise<OwnerState> {
    const kind = kindOf(reference);
    if (!kind) return 'unknown';
    if (kind.namespaced && !dependent.metadata?.namespace) return 'unknown';
    let owner: KubeObject | undefined = cached(kind, reference, dependent);
    if (owner?.metadata?.uid !== reference.uid) {
      // The cache of one kind may be behind that of another: ask, before anything is deleted for it.
      owner = await client
        .get(kind, {
          namespace: kind.namespaced ? dependent.metadata?.namespace : undefined,
          name: reference.name,
        })
        .catch((error: unknown) => {
          if (isStatus(error, 'NotFound')) return undefined;
          throw error;
        });
    }
    if (owner?.metadata?.uid !== reference.uid) return 'absent';
    const isWaiting =
      owner.metadata.deletionTimestamp && owner.metadata.finalizers?.includes(foregroundFinalizer);
    return isWaiting ? 'waiting' : 'present';
  }

  async function reconcile(key: string): Promise<undefined> {
    const [kindName = '', objectKey = ''] = key.split('|');
    const kind = byName.get(kindName) ?? custom.kinds().find((each) => nameOf(each) === kindName);
    const object = kind && informers.of(kind).get(objectKey);
    if (!object) return;
    const references = object.metadata?.ownerReferences ?? [];
    const owners: { reference: OwnerReference; state: OwnerState }[] = [];
    for (const reference of references) owners.push({ reference, state: await stateOf(reference, object) });
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
        return remove(kind, object, action.propagationPolicy);
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
    sources: [...builtIn.map((kind) => source(kind, (change) => keysFor(kind, change))), custom],
    reconcile,
  });
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
