import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import { provisionedBy } from './annotations.ts';
import type { Told } from './plan-claim.ts';

type Phase = NonNullable<NonNullable<PersistentVolume['status']>['phase']>;

/** What is to be done about a volume. */
export type VolumePlan =
  | { kind: 'phase'; phase: Phase; tell?: Told }
  /** Its claim has another volume. */
  | { kind: 'unbind' }
  /** Its claim has not taken it yet. */
  | { kind: 'leave' };

/** `claim` is the one that the volume names, whatever its UID. */
export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumePlan {
  const { claimRef } = volume.spec!;
  // Kept by an administrator for a claim that has not bound it.
  if (!claimRef?.uid) return { kind: 'phase', phase: 'Available' };
  if (claim?.metadata?.uid !== claimRef.uid) return reclaim(volume);
  const { volumeName } = claim.spec!;
  if (volumeName === volume.metadata?.name) return { kind: 'phase', phase: 'Bound' };
  if (!volumeName) return { kind: 'leave' };
  // Made for a claim that has found another one meanwhile.
  return volume.metadata?.annotations?.[provisionedBy] &&
    volume.spec?.persistentVolumeReclaimPolicy === 'Delete'
    ? reclaim(volume)
    : { kind: 'unbind' };
}

/** Its claim is gone. What a provisioner made, that provisioner removes. */
function reclaim({ metadata, spec, status }: PersistentVolume): VolumePlan {
  if (status?.phase === 'Failed') return { kind: 'phase', phase: 'Failed' };
  const failed = (reason: string, message: string): VolumePlan =>
    status?.phase === 'Released'
      ? { kind: 'phase', phase: 'Failed', tell: { type: 'Warning', reason, message } }
      : { kind: 'phase', phase: 'Released' };
  if (spec?.persistentVolumeReclaimPolicy === 'Recycle') {
    return failed('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
  }
  if (spec?.persistentVolumeReclaimPolicy === 'Delete' && !metadata?.annotations?.[provisionedBy]) {
    const why = 'no deletable volume plugin matched';
    return failed(
      'VolumeFailedDelete',
      `error getting deleter volume plugin for volume "${metadata?.name}": ${why}`,
    );
  }
  return { kind: 'phase', phase: 'Released' };
}
