import { node as nodeKind } from '../api/kinds/node.ts';
import { type PersistentVolume, persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { storageClass as classKind, type StorageClass } from '../api/kinds/storageClass.ts';
import { localPathProvisioner } from '../api/local-path.ts';
import { storageClassOf } from '../api/storage-class.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { keyOfMeta } from './owner.ts';
import { provisionedBy, selectedNode } from './persistent-volume/annotations.ts';
import { nodeNameFor, volumeFor } from './storage-local-path/volume.ts';

const claimPrefix = 'claim ';
const volumePrefix = 'volume ';
/** A node that does not say where its volumes lie may be asked again. */
const retryMs = 15_000;

/**
 * The provisioner of the class `local-path`: a volume is a folder of the node that the scheduler chose. This side makes
 * and deletes the PersistentVolume; the node's agent makes and removes the folder.
 */
export function run(context: Context): Running {
  const { client, informers } = context;
  const [claims, volumes] = [informers.of(claimKind), informers.of(volumeKind)];
  const [classes, nodes] = [informers.of(classKind), informers.of(nodeKind)];
  const events = context.recorder('selvage.dev/local-path');

  async function reconcile(key: string): Promise<number | undefined> {
    return key.startsWith(volumePrefix)
      ? reclaim(key.slice(volumePrefix.length))
      : provision(key.slice(claimPrefix.length));
  }

  async function provision(key: string): Promise<number | undefined> {
    const claim = claims.get(key);
    if (!claim || claim.spec?.volumeName || claim.metadata?.deletionTimestamp) return undefined;
    const storageClass = classes.get(storageClassOf(claim) ?? '');
    if (storageClass?.provisioner !== localPathProvisioner) return undefined;
    const nodeName = claim.metadata?.annotations?.[selectedNode];
    if (!nodeName && storageClass.volumeBindingMode === 'WaitForFirstConsumer') return undefined;
    const node = nodes.get(nodeName ?? '');
    if (nodeName && !node) return chooseAnew(claim, storageClass, nodeName);
    const volume = volumeFor(claim, storageClass, node);
    if ('problem' in volume) return fail(claim, storageClass, volume.problem);
    await create(claim, volume);
    return undefined;
  }

  async function create(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
    const { name = '' } = volume.metadata ?? {};
    if (volumes.get(name)) return;
    const subject = subjectOf(claimKind, claim);
    const message = `External provisioner is provisioning volume for claim "${keyOf(claim)}"`;
    events.record(subject, 'Normal', 'Provisioning', message);
    try {
      await client.create(volumeKind, volume);
    } catch (error) {
      // We made it and have not seen it yet.
      if (isStatus(error, 'AlreadyExists')) return;
      throw error;
    }
    events.record(subject, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`);
  }

  function fail(claim: PersistentVolumeClaim, { metadata }: StorageClass, problem: string): number {
    const message = `failed to provision volume with StorageClass "${metadata?.name}": ${problem}`;
    events.record(subjectOf(claimKind, claim), 'Warning', 'ProvisioningFailed', message);
    return retryMs;
  }

  /** The node has gone since it was chosen: without the annotation the scheduler chooses again. */
  async function chooseAnew(claim: PersistentVolumeClaim, storageClass: StorageClass, nodeName: string) {
    fail(claim, storageClass, `failed to get target node: node "${nodeName}" not found`);
    const body = { metadata: { annotations: { [selectedNode]: null } } };
    await client.patch(claimKind, keyOfMeta(claim.metadata ?? {}), { type: 'merge', body });
    return undefined;
  }

  /** Deletes what its claim has left. The node removes the folder; where there is no node any more, nobody does. */
  async function reclaim(name: string): Promise<undefined> {
    const volume = volumes.get(name);
    if (volume?.metadata?.annotations?.[provisionedBy] !== localPathProvisioner) return undefined;
    const { metadata, spec, status } = volume;
    if (metadata.deletionTimestamp) {
      if (!nodes.list().some((node) => nodeNameFor(node) === nodeNameFor(volume))) await letGo(volume);
    } else if (status?.phase === 'Released' && spec?.persistentVolumeReclaimPolicy === 'Delete') {
      const { uid = '' } = metadata;
      await client.delete(volumeKind, { name }, { preconditions: { uid } }).catch((error: unknown) => {
        if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
        events.record(subjectOf(volumeKind, volume), 'Warning', 'VolumeFailedDelete', messageOf(error));
        throw error;
      });
    }
    return undefined;
  }

  async function letGo({ metadata }: PersistentVolume): Promise<void> {
    if (!metadata?.finalizers?.includes(localPathProvisioner)) return;
    const { uid } = metadata;
    const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [localPathProvisioner] } };
    await client.patch(volumeKind, keyOfMeta(metadata), { type: 'strategic', body }).catch((error) => {
      if (!isStatus(error, 'NotFound')) throw error;
    });
  }

  return runController(context, {
    name: 'local-path',
    sources: [
      source(claimKind, ({ type, key }) => (type === 'deleted' ? [] : [claimPrefix + key])),
      source(volumeKind, ({ type, key }) => (type === 'deleted' ? [] : [volumePrefix + key])),
      source(classKind, () => []),
      source(nodeKind, ({ type }) => {
        if (type !== 'deleted') return [];
        const going = volumes.list().filter(({ metadata }) => metadata?.deletionTimestamp);
        return going.map((volume) => volumePrefix + keyOf(volume));
      }),
    ],
    reconcile,
  });
}
