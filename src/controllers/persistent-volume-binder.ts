import { type PersistentVolume, persistentVolume as volumeKind } from '../api/kinds/persistentVolume.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { storageClass as classKind } from '../api/kinds/storageClass.ts';
import { apiVersionOf } from '../api/object.ts';
import { toTime } from '../base/clock.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { keyOfMeta } from './owner.ts';
import {
  betaStorageProvisioner,
  bindCompleted,
  boundByController,
  storageProvisioner,
} from './persistent-volume/annotations.ts';
import { planClaim, type Told } from './persistent-volume/plan-claim.ts';
import { planVolume } from './persistent-volume/plan-volume.ts';
import { writeStatus } from './write-status.ts';

const claimPrefix = 'claim ';
const volumePrefix = 'volume ';

/** Gives claims their volumes and keeps the phases of both. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const [claims, volumes, classes] = [
    informers.of(claimKind),
    informers.of(volumeKind),
    informers.of(classKind),
  ];
  const events = context.recorder('persistentvolume-controller');

  const waiting = () => claims.list().filter(({ status }) => status?.phase !== 'Bound');
  const keyOfClaim = (claim: PersistentVolumeClaim) => claimPrefix + keyOf(claim);
  const keysForClaim = ({ key, object }: Change<PersistentVolumeClaim>): string[] => {
    const named = object.spec?.volumeName;
    const kept = volumes
      .list()
      .filter(({ spec }) => spec?.claimRef && `${spec.claimRef.namespace}/${spec.claimRef.name}` === key)
      .map(({ metadata }) => metadata?.name ?? '');
    const names = new Set([...kept, ...(named ? [named] : [])]);
    return [claimPrefix + key, ...[...names].map((name) => volumePrefix + name)];
  };
  const keysForVolume = ({ type, key, object }: Change<PersistentVolume>): string[] => {
    const { claimRef } = object.spec ?? {};
    const bound = claims.list().filter(({ spec }) => spec?.volumeName === key);
    const ofRef = claimRef?.name ? [`${claimPrefix}${claimRef.namespace}/${claimRef.name}`] : [];
    const free = type !== 'deleted' && !claimRef ? waiting() : [];
    const own = type === 'deleted' ? [] : [volumePrefix + key];
    return [...new Set([...own, ...ofRef, ...[...bound, ...free].map(keyOfClaim)])];
  };

  async function reconcile(key: string): Promise<undefined> {
    if (key.startsWith(volumePrefix)) await syncVolume(key.slice(volumePrefix.length));
    else await syncClaim(key.slice(claimPrefix.length));
    return undefined;
  }

  async function syncClaim(key: string): Promise<void> {
    const claim = claims.get(key);
    if (!claim) return;
    const planned = planClaim({ claim, volumes: volumes.list(), classes: classes.list() });
    // A claim on its way out gets nothing any more; what it has stays its own.
    if (claim.metadata?.deletionTimestamp && claim.status?.phase !== 'Bound') return;
    switch (planned.kind) {
      case 'bind':
        return bind(claim, planned.volume);
      case 'assignClass':
        await patchClaim(claim, { spec: { storageClassName: planned.name } });
        return;
      case 'provision':
        await announce(claim, planned.provisioner, planned.tell);
        return;
      case 'lost':
        if (claim.status?.phase !== 'Lost') tellClaim(claim, planned.tell);
        await writeStatus(client, claimKind, claim, { phase: 'Lost' });
        return;
      case 'wait':
        if (planned.tell) tellClaim(claim, planned.tell);
        await writeStatus(client, claimKind, claim, { ...claim.status, phase: 'Pending' });
    }
  }

  /** Each step can be the last before a crash: the next round goes on where this one ended. */
  async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
    const taken = await take(volume, claim);
    await writePhase(taken, 'Bound');
    const bound = await settle(claim, taken);
    const { accessModes, capacity } = taken.spec!;
    const isGrowing = bound.status?.phase === 'Bound' && bound.status.capacity;
    await writeStatus(client, claimKind, bound, {
      ...bound.status,
      phase: 'Bound',
      ...(accessModes && { accessModes }),
      // A volume that grows is announced by who makes it grow.
      ...(!isGrowing && capacity && { capacity }),
    });
  }

  /** An update, not a patch: of two claims that want it, the server lets one have it. */
  async function take(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<PersistentVolume> {
    const { uid = '', namespace = '', name = '', resourceVersion = '' } = claim.metadata ?? {};
    const { claimRef } = volume.spec!;
    if (claimRef?.uid === uid) return volume;
    const isKept = claimRef?.name !== undefined;
    const { kind } = claimKind;
    const reference = { kind, namespace, name, uid, apiVersion: apiVersionOf(claimKind), resourceVersion };
    return client.update(volumeKind, {
      ...volume,
      metadata: isKept ? volume.metadata! : annotated(volume.metadata, { [boundByController]: 'yes' }),
      spec: { ...volume.spec!, claimRef: reference },
    });
  }

  async function settle(claim: PersistentVolumeClaim, volume: PersistentVolume) {
    const { annotations = {} } = claim.metadata ?? {};
    const { name = '' } = volume.metadata ?? {};
    if (annotations[bindCompleted] && claim.spec?.volumeName === name) return claim;
    const isNamed = Boolean(claim.spec?.volumeName);
    const marks = { [bindCompleted]: 'yes', ...(!isNamed && { [boundByController]: 'yes' }) };
    return client.update(claimKind, {
      ...claim,
      metadata: annotated(claim.metadata, marks),
      spec: { ...claim.spec!, volumeName: name },
    });
  }

  /** Leaves word for the provisioner. */
  async function announce(claim: PersistentVolumeClaim, provisioner: string, tell: Told): Promise<void> {
    const { annotations = {} } = claim.metadata ?? {};
    if (annotations[storageProvisioner] !== provisioner) {
      const marks = { [storageProvisioner]: provisioner, [betaStorageProvisioner]: provisioner };
      await patchClaim(claim, { metadata: { annotations: marks } });
    }
    tellClaim(claim, tell);
  }

  async function syncVolume(name: string): Promise<void> {
    const volume = volumes.get(name);
    if (!volume) return;
    const { claimRef } = volume.spec!;
    const claim = claimRef && claims.get(`${claimRef.namespace}/${claimRef.name}`);
    const planned = planVolume(volume, claim);
    if (planned.kind === 'unbind') await unbind(volume);
    if (planned.kind !== 'phase') return;
    // The cache may only not have the claim yet, and what is released may be deleted.
    if (planned.phase === 'Released' && volume.status?.phase !== 'Released' && (await isClaimed(volume)))
      return;
    if (planned.tell) {
      const { type, reason, message } = planned.tell;
      events.record(subjectOf(volumeKind, volume), type, reason, message);
    }
    await writePhase(volume, planned.phase, planned.tell?.message);
  }

  async function isClaimed({ metadata, spec }: PersistentVolume): Promise<boolean> {
    const { namespace, name = '', uid } = spec?.claimRef ?? {};
    try {
      const claim = await client.get(claimKind, { namespace, name });
      const { volumeName } = claim.spec!;
      return claim.metadata?.uid === uid && (!volumeName || volumeName === metadata?.name);
    } catch (error) {
      if (isStatus(error, 'NotFound')) return false;
      throw error;
    }
  }

  async function unbind(volume: PersistentVolume): Promise<void> {
    const { claimRef, ...spec } = volume.spec!;
    const { [boundByController]: isOurs, ...annotations } = volume.metadata?.annotations ?? {};
    const { uid: _uid, resourceVersion: _version, ...kept } = claimRef ?? {};
    await client.update(volumeKind, {
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: isOurs ? spec : { ...spec, claimRef: kept },
    });
  }

  async function writePhase(
    volume: PersistentVolume,
    phase: NonNullable<PersistentVolume['status']>['phase'],
    message?: string,
  ): Promise<void> {
    if (volume.status?.phase === phase) return;
    const lastPhaseTransitionTime = toTime(clock.nowMs());
    await writeStatus(client, volumeKind, volume, {
      ...(phase && { phase }),
      ...(message && { message }),
      lastPhaseTransitionTime,
    });
  }

  function patchClaim({ metadata }: PersistentVolumeClaim, body: object): Promise<PersistentVolumeClaim> {
    return client.patch(claimKind, keyOfMeta(metadata ?? {}), { type: 'merge', body });
  }

  function tellClaim(claim: PersistentVolumeClaim, { type, reason, message }: Told): void {
    events.record(subjectOf(claimKind, claim), type, reason, message);
  }

  return runController(context, {
    name: 'persistent-volume-binder',
    sources: [
      source(claimKind, keysForClaim),
      source(volumeKind, keysForVolume),
      source(classKind, ({ type }) => (type === 'deleted' ? [] : waiting().map(keyOfClaim))),
    ],
    reconcile,
  });
}

function annotated(metadata: PersistentVolume['metadata'], annotations: Record<string, string>) {
  return { ...metadata, annotations: { ...metadata?.annotations, ...annotations } };
}
