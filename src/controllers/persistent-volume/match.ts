import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import { labelSelector } from '../../api/label-selector.ts';
import { compareQuantities } from '../../api/quantity.ts';
import { storageClassOf } from '../../api/storage-class.ts';

/** Whether the volume is kept for this claim: by name, and by UID where it has been bound already. */
export function isKeptFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { claimRef } = spec ?? {};
  if (claimRef?.name !== metadata?.name || claimRef?.namespace !== metadata?.namespace) return false;
  return !claimRef?.uid || claimRef.uid === metadata?.uid;
}

/** Why the volume that a claim names won't do, in kube-controller-manager's words; undefined when it will. */
export function mismatchOf(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (!isLargeEnough(volume, claim)) return 'requested PV is too small';
  if ((storageClassOf(claim) ?? '') !== (storageClassOf(volume) ?? '')) {
    return 'storageClassName does not match';
  }
  if (modeOf(volume) !== modeOf(claim)) return 'incompatible volumeMode';
  return hasModes(volume, claim) ? undefined : 'incompatible accessMode';
}

/**
 * The volume for a claim that names none: the one that is kept for it, else (unless it waits for a pod) the one with the
 * fewest further access modes, of these the smallest.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  { isDelayed }: { isDelayed: boolean },
): PersistentVolume | undefined {
  const usable = volumes.filter(
    (volume) =>
      !volume.metadata?.deletionTimestamp && modeOf(volume) === modeOf(claim) && isLargeEnough(volume, claim),
  );
  const kept = usable.find((volume) => isKeptFor(volume, claim));
  if (kept || isDelayed) return kept;
  const { selector } = claim.spec!;
  const isSelected = selector ? labelSelector(selector) : () => true;
  const matching = usable.filter(
    (volume) =>
      !volume.spec?.claimRef &&
      volume.status?.phase === 'Available' &&
      (storageClassOf(claim) ?? '') === (storageClassOf(volume) ?? '') &&
      hasModes(volume, claim) &&
      isSelected(volume),
  );
  return matching.sort(byFitness)[0];
}

function byFitness(a: PersistentVolume, b: PersistentVolume): number {
  const modes = (volume: PersistentVolume) => volume.spec?.accessModes?.length ?? 0;
  return (
    modes(a) - modes(b) ||
    compareQuantities(sizeOf(a), sizeOf(b)) ||
    (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? '')
  );
}

const sizeOf = ({ spec }: PersistentVolume) => spec?.capacity?.storage ?? '0';

const modeOf = ({ spec }: { spec?: { volumeMode?: string } }) => spec?.volumeMode ?? 'Filesystem';

function isLargeEnough(volume: PersistentVolume, { spec }: PersistentVolumeClaim): boolean {
  return compareQuantities(sizeOf(volume), spec?.resources?.requests?.storage ?? '0') >= 0;
}

function hasModes({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (claim.spec?.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode));
}
