import type { KubeObject, OwnerReference } from '../../api/object.ts';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** What became of an owner: there; there but waiting for its dependents to go; gone; or of a kind not served here. */
export type OwnerState = 'present' | 'waiting' | 'absent' | 'unknown';

export type GarbageAction =
  | { type: 'none' }
  | { type: 'delete'; propagationPolicy: 'Foreground' | 'Background' | 'Orphan' }
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
  return judgeByOwners(owners, finalizers, dependents.length > 0);
}

/** https://kubernetes.io/docs/concepts/architecture/garbage-collection/ */
function judgeByOwners(
  owners: readonly { reference: OwnerReference; state: OwnerState }[],
  finalizers: readonly string[],
  hasDependents: boolean,
): GarbageAction {
  if (owners.length === 0) return { type: 'none' };
  const of = (...states: OwnerState[]) => owners.filter(({ state }) => states.includes(state));
  const gone = of('absent', 'waiting');
  if (of('present', 'unknown').length > 0) {
    if (gone.length === 0) return { type: 'none' };
    return { type: 'dropOwners', uids: gone.map(({ reference }) => reference.uid) };
  }
  if (of('waiting').length > 0 && hasDependents) return { type: 'delete', propagationPolicy: 'Foreground' };
  if (finalizers.includes(orphanFinalizer)) return { type: 'delete', propagationPolicy: 'Orphan' };
  if (finalizers.includes(foregroundFinalizer)) return { type: 'delete', propagationPolicy: 'Foreground' };
  return { type: 'delete', propagationPolicy: 'Background' };
}

function blocks(dependent: KubeObject, owner: KubeObject): boolean {
  return (dependent.metadata?.ownerReferences ?? []).some(
    ({ uid, blockOwnerDeletion }) => uid === owner.metadata?.uid && blockOwnerDeletion === true,
  );
}
