import type { KubeObject, OwnerReference } from '../../api/object.ts';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** What became of an owner: there; there but waiting for its dependents to go; gone; or nowhere to be asked for. */
export type OwnerState = 'present' | 'waiting' | 'absent' | 'unknown';

export type GarbageAction =
  | { type: 'none' }
  /** With `unblocks` it keeps no owner waiting any more: else owners in a circle would wait for each other. */
  | { type: 'delete'; propagationPolicy: 'Foreground' | 'Background' | 'Orphan'; unblocks?: true }
  /** Some owners are gone, others keep the object. */
  | { type: 'dropOwners'; uids: string[] }
  | { type: 'removeFinalizer'; finalizer: string }
  /** The dependents are let go before the object goes. */
  | { type: 'orphanDependents'; dependents: KubeObject[] };

/** What to do with an object, given what became of its owners and which objects name it as theirs. */
export function plan(
  object: KubeObject,
  owners: readonly { reference: OwnerReference; state: OwnerState }[],
  dependents: readonly KubeObject[],
): GarbageAction {
  const finalizers = object.metadata?.finalizers ?? [];
  if (object.metadata?.deletionTimestamp) {
    if (finalizers.includes(orphanFinalizer)) {
      if (dependents.length > 0) return { type: 'orphanDependents', dependents: [...dependents] };
      return { type: 'removeFinalizer', finalizer: orphanFinalizer };
    }
    const isBlocked = dependents.some((dependent) => blocks(dependent, object));
    if (finalizers.includes(foregroundFinalizer) && !isBlocked) {
      return { type: 'removeFinalizer', finalizer: foregroundFinalizer };
    }
    return { type: 'none' };
  }
  return judgeByOwners(owners, finalizers, dependents);
}

/** https://kubernetes.io/docs/concepts/architecture/garbage-collection/ */
function judgeByOwners(
  owners: readonly { reference: OwnerReference; state: OwnerState }[],
  finalizers: readonly string[],
  dependents: readonly KubeObject[],
): GarbageAction {
  if (owners.length === 0) return { type: 'none' };
  // Of whom nobody can be asked may be there: then all wait until somebody can.
  if (owners.some(({ state }) => state === 'unknown')) return { type: 'none' };
  const of = (...states: OwnerState[]) => owners.filter(({ state }) => states.includes(state));
  const gone = of('absent', 'waiting');
  if (of('present').length > 0) {
    if (gone.length === 0) return { type: 'none' };
    return { type: 'dropOwners', uids: gone.map(({ reference }) => reference.uid) };
  }
  if (of('waiting').length > 0 && dependents.length > 0) {
    const unblocks = dependents.some(isWaiting) && { unblocks: true as const };
    return { type: 'delete', propagationPolicy: 'Foreground', ...unblocks };
  }
  if (finalizers.includes(orphanFinalizer)) return { type: 'delete', propagationPolicy: 'Orphan' };
  if (finalizers.includes(foregroundFinalizer)) return { type: 'delete', propagationPolicy: 'Foreground' };
  return { type: 'delete', propagationPolicy: 'Background' };
}

function isWaiting({ metadata }: KubeObject): boolean {
  return Boolean(metadata?.deletionTimestamp && metadata.finalizers?.includes(foregroundFinalizer));
}

function blocks(dependent: KubeObject, owner: KubeObject): boolean {
  return (dependent.metadata?.ownerReferences ?? []).some(
    ({ uid, blockOwnerDeletion }) => uid === owner.metadata?.uid && blockOwnerDeletion === true,
  );
}
