import type { Node } from '../../api/kinds/node.ts';
import type { PersistentVolume } from '../../api/kinds/persistentVolume.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../../api/kinds/persistentVolumeClaim.ts';
import type { StorageClass } from '../../api/kinds/storageClass.ts';
import { localPathProvisioner, volumeNodeLabel, volumesFolderAnnotation } from '../../api/local-path.ts';
import { apiVersionOf } from '../../api/object.ts';
import { provisionedBy } from '../persistent-volume/annotations.ts';

const hostnameLabel = 'kubernetes.io/hostname';
const modes = ['ReadWriteOnce', 'ReadWriteOncePod'];

/** The volume for a claim on a node, or why there can't be one. */
export function volumeFor(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  node: Node | undefined,
): PersistentVolume | { problem: string } {
  const { uid = '', namespace = '', name = '', resourceVersion = '' } = claim.metadata ?? {};
  const { accessModes = [], resources, volumeMode = 'Filesystem' } = claim.spec!;
  const hostname = node?.metadata?.labels?.[hostnameLabel];
  const folder = node?.metadata?.annotations?.[volumesFolderAnnotation];
  const problem = problemOf(claim, { node, hostname, folder });
  if (problem) return { problem };
  const volumeName = `pvc-${uid}`;
  const { reclaimPolicy = 'Delete', mountOptions } = storageClass;
  const { kind } = claimKind;
  return {
    metadata: {
      name: volumeName,
      labels: { [volumeNodeLabel]: hostname! },
      annotations: { [provisionedBy]: localPathProvisioner },
      finalizers: [localPathProvisioner],
    },
    spec: {
      accessModes,
      capacity: { storage: resources?.requests?.storage ?? '0' },
      claimRef: { kind, namespace, name, uid, apiVersion: apiVersionOf(claimKind), resourceVersion },
      hostPath: { path: `${folder}/${volumeName}_${namespace}_${name}`, type: 'DirectoryOrCreate' },
      ...(mountOptions && { mountOptions }),
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: hostnameLabel, operator: 'In', values: [hostname!] }] },
          ],
        },
      },
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: storageClass.metadata?.name ?? '',
      volumeMode,
    },
  };
}

function problemOf(
  { spec }: PersistentVolumeClaim,
  {
    node,
    hostname,
    folder,
  }: { node: Node | undefined; hostname?: string | undefined; folder?: string | undefined },
): string | undefined {
  const { accessModes = [], selector, volumeMode } = spec!;
  if (selector) return 'claim.Spec.Selector is not supported';
  if (volumeMode === 'Block') return 'a folder is no block device; use volumeMode: Filesystem';
  const other = accessModes.find((mode) => !modes.includes(mode));
  if (other) return `only ${modes.join(' and ')} are supported, not ${other}: the folder is on one node`;
  if (!node) {
    return 'no node was specified: the class must have volumeBindingMode: WaitForFirstConsumer';
  }
  const { name } = node.metadata ?? {};
  if (!hostname) return `node "${name}" has no label ${hostnameLabel}`;
  if (!folder)
    return `node "${name}" does not say where its volumes lie (annotation ${volumesFolderAnnotation})`;
  return undefined;
}

/** Which node keeps a volume's folder, or which one a node is. */
export function nodeNameFor({ metadata }: Node | PersistentVolume): string | undefined {
  return metadata?.labels?.[volumeNodeLabel] ?? metadata?.labels?.[hostnameLabel];
}
