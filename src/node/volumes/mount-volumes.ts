import { mkdir, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import { expand } from '../pods/expansion.ts';
import type { Container } from '../pods/record.ts';
import type { ContainerSpec } from '../runtimes/runtime.ts';
import { writeAtomically } from './atomic-folder.ts';
import { claimedFolder } from './claimed-folder.ts';
import { mountFailed } from './mount-failed.ts';
import { type FileSources, type Volume, volumeFiles } from './volume-files.ts';
import { volumeFolder } from './volume-folder.ts';

export interface VolumeSources extends FileSources {
  /** The pod's own folder on the node. */
  podDir: string;
  /** The content of an image volume as a folder; what can't be pulled throws. */
  imageFolder(volume: Volume): Promise<string>;
  /** Host folders that pods may mount; by default none. */
  hostPathsAllowed: readonly string[];
  /** Where the node keeps the folders of claims. */
  volumesFolder: string;
}

/** Makes the folders of all of a pod's volumes, and gives them by volume name. */
export async function makeVolumes(
  volumes: Volume[],
  sources: VolumeSources,
): Promise<Map<string, { hostPath: string; readOnly: boolean }>> {
  const made = volumes.map(async (volume) => {
    try {
      return [volume.name, await makeVolume(volume, sources)] as const;
    } catch (error) {
      const message = `${mountFailed} "${volume.name}" : ${messageOf(error)}`;
      throw new StatusError(isStatus(error) ? error.reason : 'InternalError', message, { cause: error });
    }
  });
  return new Map(await Promise.all(made));
}

/** What a container sees at its mount paths. */
export function mountsOf(
  container: Container,
  volumes: ReadonlyMap<string, { hostPath: string; readOnly: boolean }>,
  env: Record<string, string>,
): ContainerSpec['mounts'] {
  return (container.volumeMounts ?? []).map((mount) => {
    const volume = volumes.get(mount.name);
    if (!volume)
      throw new StatusError('Invalid', `volume "${mount.name}" of mount ${mount.mountPath} not found`);
    const subPath = mount.subPathExpr ? expand(mount.subPathExpr, env) : (mount.subPath ?? '');
    if (normalize(subPath).split('/').includes('..') || subPath.startsWith('/')) {
      throw new StatusError('Invalid', `subPath "${subPath}" must be relative and stay in its volume`);
    }
    return {
      mountPath: mount.mountPath,
      hostPath: join(volume.hostPath, subPath),
      readOnly: volume.readOnly || mount.readOnly === true,
    };
  });
}

async function makeVolume(
  volume: Volume,
  sources: VolumeSources,
): Promise<{ hostPath: string; readOnly: boolean }> {
  const hostPath = volumeFolder(sources.podDir, volume.name);
  const files = await volumeFiles(volume, sources);
  if (files) {
    await writeAtomically(hostPath, files);
    return { hostPath, readOnly: true };
  }
  if (volume.emptyDir) {
    await mkdir(hostPath, { recursive: true, mode: 0o777 });
    return { hostPath, readOnly: false };
  }
  if (volume.image) {
    return { hostPath: await sources.imageFolder(volume), readOnly: true };
  }
  if (volume.hostPath) return hostFolder(volume.hostPath.path, sources.hostPathsAllowed);
  if (volume.persistentVolumeClaim || volume.ephemeral) {
    const allowed = sources.hostPathsAllowed;
    const folder = async (path: string) => (await hostFolder(path, allowed)).hostPath;
    return claimedFolder(volume, { ...sources, hostFolder: folder });
  }
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
  throw new StatusError('Invalid', `this node has no volumes of type "${kind}"`);
}

async function hostFolder(path: string, allowed: readonly string[]) {
  const wanted = normalize(path);
  const isAllowed = allowed.some((root) => wanted === root || wanted.startsWith(`${root}/`));
  if (!isAllowed) {
    throw new StatusError(
      'Forbidden',
      `hostPath ${path} is not allowed on this node; use another volume, or start the node with --allow-host-path`,
    );
  }
  if (!(await stat(wanted).catch(() => undefined))) {
    throw new StatusError('NotFound', `hostPath ${path} does not exist on this node`);
  }
  return { hostPath: wanted, readOnly: false };
}
