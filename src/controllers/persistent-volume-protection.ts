import { type PersistentVolume, persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { claimsOfPod } from '../api/pod-claims.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Client } from '../client/client.ts';
import { type Context, runController, source } from './controller.ts';
import { keyOfMeta } from './owner.ts';

const claimProtection = 'kubernetes.io/pvc-protection';
const volumeProtection = 'kubernetes.io/pv-protection';
const claimPrefix = 'claim ';
const volumePrefix = 'volume ';

/**
 * Keeps a claim until no pod uses it, and a volume until it is no claim's.
 * https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
 */
export function run(context: Context): Running {
  const { client, informers } = context;
  const [claims, volumes, pods] = [informers.of(claimKind), informers.of(volumeKind), informers.of(podKind)];

  async function reconcile(key: string): Promise<undefined> {
    if (key.startsWith(volumePrefix)) {
      const volume = volumes.get(key.slice(volumePrefix.length));
      if (!volume) return undefined;
      const isFree = volume.status?.phase !== 'Bound';
      await settle(client, volumeKind, volume, { finalizer: volumeProtection, isFree });
      return undefined;
    }
    const claim = claims.get(key.slice(claimPrefix.length));
    if (!claim) return undefined;
    const isFree = Boolean(claim.metadata?.deletionTimestamp) && !(await isUsed(claim));
    await settle(client, claimKind, claim, { finalizer: claimProtection, isFree });
    return undefined;
  }

  /** The server's word, not the cache's: what is removed here takes data with it. */
  async function isUsed({ metadata }: PersistentVolumeClaim): Promise<boolean> {
    const { namespace = '', name = '' } = metadata ?? {};
    const uses = (pod: Pod) => pod.spec?.nodeName && claimsOfPod(pod).includes(name);
    if (pods.byIndex('namespace', namespace).some(uses)) return true;
    return (await client.list(podKind, { namespace })).items.some(uses);
  }

  return runController(context, {
    name: 'persistent-volume-protection',
    sources: [
      source<PersistentVolumeClaim>(claimKind, ({ type, key }) =>
        type === 'deleted' ? [] : [claimPrefix + key],
      ),
      source<PersistentVolume>(volumeKind, ({ type, key }) =>
        type === 'deleted' ? [] : [volumePrefix + key],
      ),
      source(podKind, ({ type, object }) => {
        if (type !== 'deleted') return [];
        return claimsOfPod(object).map((name) => `${claimPrefix}${object.metadata?.namespace}/${name}`);
      }),
    ],
    reconcile,
  });
}

/** Adds the finalizer where it is missing, and takes it from what is being deleted and free. */
async function settle<T extends KubeObject>(
  client: Client,
  kind: KindAddress<T>,
  { metadata = {} }: T,
  { finalizer, isFree }: { finalizer: string; isFree: boolean },
): Promise<void> {
  const has = metadata.finalizers?.includes(finalizer) ?? false;
  const isGoing = metadata.deletionTimestamp !== undefined;
  if (isGoing ? !has || !isFree : has) return;
  const { uid, resourceVersion } = metadata;
  const change = isGoing
    ? { '$deleteFromPrimitiveList/finalizers': [finalizer] }
    : { finalizers: [finalizer] };
  const body = { metadata: { uid, resourceVersion, ...change } };
  try {
    await client.patch(kind, keyOfMeta(metadata), { type: 'strategic', body });
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
  }
}
