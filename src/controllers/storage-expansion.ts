import { type PersistentVolume, persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { localPathProvisioner } from '../api/local-path.ts';
import { compareQuantities } from '../api/quantity.ts';
import type { Running } from '../base/lifecycle.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { provisionedBy } from './persistent-volume/annotations.ts';
import { writeStatus } from './write-status.ts';

/** Grows volumes with their claims. A folder holds what its disk does, so there is nothing to do but to say so. */
export function run(context: Context): Running {
  const { client, informers } = context;
  const [claims, volumes] = [informers.of(claimKind), informers.of(volumeKind)];
  const events = context.recorder('volume_expand');

  async function reconcile(key: string): Promise<undefined> {
    const claim = claims.get(key);
    const wanted = claim && wantedSize(claim);
    const volume = volumes.get(claim?.spec?.volumeName ?? '');
    if (!claim || !volume || wanted === undefined) return undefined;
    const subject = subjectOf(claimKind, claim);
    if (volume.metadata?.annotations?.[provisionedBy] !== localPathProvisioner) {
      const message = 'waiting for an external controller to expand this PVC';
      events.record(subject, 'Normal', 'ExternalExpanding', message);
      return undefined;
    }
    await grow(volume, wanted);
    const capacity = { ...claim.status?.capacity, storage: wanted };
    await writeStatus(client, claimKind, claim, { ...claim.status, capacity });
    events.record(subject, 'Normal', 'VolumeResizeSuccessful', 'Resize volume succeeded');
    return undefined;
  }

  async function grow({ metadata, spec }: PersistentVolume, storage: string): Promise<void> {
    if (compareQuantities(spec?.capacity?.storage ?? '0', storage) >= 0) return;
    const body = { spec: { capacity: { storage } } };
    await client.patch(volumeKind, { name: metadata?.name ?? '' }, { type: 'merge', body });
  }

  return runController(context, {
    name: 'storage-expansion',
    sources: [
      source(claimKind, ({ type, key }) => (type === 'deleted' ? [] : [key])),
      source(volumeKind, () => []),
    ],
    reconcile,
  });
}

/** The size that is asked for, if it is more than there is. */
function wantedSize({ spec, status }: PersistentVolumeClaim): string | undefined {
  const [wanted, present] = [spec?.resources?.requests?.storage, status?.capacity?.storage];
  if (status?.phase !== 'Bound' || wanted === undefined || present === undefined) return undefined;
  return compareQuantities(wanted, present) > 0 ? wanted : undefined;
}
