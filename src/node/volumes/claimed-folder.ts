import { mkdir } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import { localPathProvisioner } from '../../api/local-path.ts';
import { claimNameOf } from '../../api/pod-claims.ts';
import { StatusError } from '../../base/errors.ts';
import type { PodRecord } from '../pods/record.ts';
import type { Volume } from './volume-files.ts';

export interface ClaimSources {
  record: PodRecord;
  objects: {
    claim(
      namespace: string,
      name: string,
    ): Promise<{ spec?: { volumeName?: string }; status?: { phase?: string } }>;
    persistentVolume(name: string): Promise<PersistentVolume>;
  };
  /** The node's own folder for volumes, below which those of the class `local-path` lie. */
  volumesFolder: string;
  /** A folder of the node that pods may mount; throws for others. */
  hostFolder(path: string): Promise<string>;
}

/** The folder behind a volume that names a claim, or that has one of its own. */
export async function claimedFolder(
  volume: Volume,
  sources: ClaimSources,
): Promise<{ hostPath: string; readOnly: boolean }> {
  const { record, objects } = sources;
  const name = claimNameOf(record.pod, volume) ?? '';
  const claim = await objects.claim(record.namespace, name);
  const { volumeName } = claim.spec ?? {};
  if (!volumeName || claim.status?.phase !== 'Bound') {
    throw new StatusError('Conflict', `PVC ${record.namespace}/${name} is not bound`);
  }
  const hostPath = await folderOf(await objects.persistentVolume(volumeName), sources);
  return { hostPath, readOnly: volume.persistentVolumeClaim?.readOnly === true };
}

const sourceNames = ['csi', 'nfs', 'iscsi', 'fc', 'rbd', 'cephfs', 'glusterfs', 'flexVolume'] as const;

async function folderOf(volume: PersistentVolume, sources: ClaimSources): Promise<string> {
  const { hostPath, local } = volume.spec ?? {};
  const { name } = volume.metadata ?? {};
  const own = ownFolder(volume, sources.volumesFolder);
  if (own) {
    await mkdir(own, { recursive: true, mode: 0o777 });
    return own;
  }
  const path = hostPath?.path ?? local?.path;
  if (path !== undefined) return sources.hostFolder(path);
  const type = sourceNames.find((field) => volume.spec?.[field] !== undefined) ?? 'unknown';
  throw new StatusError(
    'Invalid',
    `this node mounts no volumes of type "${type}" (persistentvolume "${name}"), only local and hostPath`,
  );
}

/** Where a volume of the class `local-path` lies, if it is this node's: directly below its folder, under its own name. */
export function ownFolder(volume: PersistentVolume, volumesFolder: string): string | undefined {
  const { name = '', finalizers, annotations } = volume.metadata ?? {};
  const isOurs =
    finalizers?.includes(localPathProvisioner) ||
    annotations?.['pv.kubernetes.io/provisioned-by'] === localPathProvisioner;
  const path = normalize(volume.spec?.hostPath?.path ?? '');
  const isInPlace =
    dirname(path) === normalize(volumesFolder) && path.startsWith(join(volumesFolder, `${name}_`));
  return isOurs && name !== '' && isInPlace ? path : undefined;
}
