import { rm } from 'node:fs/promises';
import { persistentVolume as volumeKind } from '../api/addresses.ts';
import type { PersistentVolume } from '../api/kinds/persistentVolume.ts';
import { localPathProvisioner, volumeNodeLabel } from '../api/local-path.ts';
import { claimsOfPod } from '../api/pod-claims.ts';
import type { Clock } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../client/client.ts';
import { createInformer } from '../client/informer.ts';
import { createWorkQueue, type WorkQueue } from '../client/work-queue.ts';
import type { PodRecord } from './pods/record.ts';
import { ownFolder } from './volumes/claimed-folder.ts';

export interface VolumeReclaimOptions {
  client: Client;
  clock: Clock;
  log: Log;
  nodeName: string;
  volumesFolder: string;
  records: () => PodRecord[];
}

const stillUsedMs = 1_000;

/** Removes the folders of this node's volumes that are being deleted, and then lets them go. */
export class VolumeReclaim implements Running {
  readonly #options: VolumeReclaimOptions;
  readonly #stopping = new AbortController();
  readonly #queue: WorkQueue;
  #get: (key: string) => PersistentVolume | undefined = () => undefined;

  constructor(options: VolumeReclaimOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#queue = createWorkQueue({ clock, log, concurrency: 1, process: (key) => this.#reclaim(key) });
  }

  start(): void {
    const { client, clock, log, nodeName } = this.#options;
    const informer = createInformer<PersistentVolume>({
      client,
      kind: volumeKind,
      labelSelector: `${volumeNodeLabel}=${nodeName}`,
      clock,
      log,
      onChange: ({ type, key, object }) => {
        if (type !== 'deleted' && isLeft(object)) this.#queue.add(key);
      },
    });
    this.#get = (key) => informer.get(key);
    informer.start(this.#stopping.signal);
    this.#queue.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#queue.stop();
  }

  async #reclaim(key: string): Promise<number | undefined> {
    const { client, log, volumesFolder } = this.#options;
    const volume = this.#get(key);
    if (!volume || !isLeft(volume)) return undefined;
    if (this.#isUsed(volume)) return stillUsedMs;
    const folder = ownFolder(volume, volumesFolder);
    if (folder && volume.spec?.persistentVolumeReclaimPolicy === 'Delete') {
      await rm(folder, { recursive: true, force: true });
      log.info('removed the folder of a volume', { volume: key, folder });
    }
    const { uid, resourceVersion, finalizers = [] } = volume.metadata!;
    const left = finalizers.filter((finalizer) => finalizer !== localPathProvisioner);
    const body = { metadata: { uid, resourceVersion, finalizers: left } };
    try {
      await client.patch(volumeKind, { name: key }, { type: 'merge', body });
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      log.debug('volume not let go', { volume: key, error: messageOf(error) });
      throw error;
    }
    return undefined;
  }

  /** A pod that was deleted by force may still be ending here. */
  #isUsed({ spec }: PersistentVolume): boolean {
    const { namespace, name = '' } = spec?.claimRef ?? {};
    return this.#options
      .records()
      .some((record) => record.namespace === namespace && claimsOfPod(record.pod).includes(name));
  }
}

/** Being deleted, no claim's any more, and only waiting for its node. */
function isLeft({ metadata }: PersistentVolume): boolean {
  const { deletionTimestamp, finalizers = [] } = metadata ?? {};
  if (!deletionTimestamp || !finalizers.includes(localPathProvisioner)) return false;
  return !finalizers.includes('kubernetes.io/pv-protection');
}
