import type { Node } from '../api/kinds/node.ts';
import type { PersistentVolume } from '../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../api/kinds/persistentVolumeClaim.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { StorageClass } from '../api/kinds/storageClass.ts';
import type { Cluster } from './cluster-state.ts';
import type { Filter, Plugin, Refusal } from './filter.ts';
import { matchesNodeSelector } from './node-affinity.ts';
import type { PlacedPod } from './node-state.ts';
import { findVolume, isClassAllowedOn } from './volume-match.ts';

/** What is known of storage; claims by `namespace/name`. */
export interface Storage {
  claim(key: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumes(): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
  /** The claim that a volume is being bound to, before its `claimRef` says so. */
  assumedClaim(volumeName: string): string | undefined;
}

/** What is left to do for a pod's claims once its node is known. */
export interface VolumePlan {
  /** Volumes that are there, and the claims that get them. */
  bind: readonly { volume: PersistentVolume; claim: PersistentVolumeClaim }[];
  /** Claims whose volumes are to be made for the node. */
  provision: readonly PersistentVolumeClaim[];
}

export type PreparedVolumes =
  | { filters: readonly Filter[]; planFor(node: Node): VolumePlan | undefined }
  | { refusal: string; plugin: Plugin };

export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
const zoneKeys = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

const affinityConflict: Refusal = { reasons: ['node(s) had volume node affinity conflict'], isFinal: true };
const nothingToBind: Refusal = {
  reasons: ["node(s) didn't find available persistent volumes to bind"],
  isFinal: true,
};
const volumeGone: Refusal = {
  reasons: ['node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'],
  isFinal: true,
};
const otherZone: Refusal = { reasons: ['node(s) had no available volume zone'], isFinal: true };
const usedElsewhere: Refusal = {
  reasons: ['node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode'],
  isFinal: false,
};

/** The rules that follow from a pod's claims; a text when no node could take it whatever it is. */
export function prepareVolumes(pod: Pod, cluster: Cluster, storage: Storage): PreparedVolumes {
  const names = claimNames(pod);
  if (names.length === 0) return { filters: [], planFor: () => undefined };
  const claims: PersistentVolumeClaim[] = [];
  for (const { name, isEphemeral } of names) {
    const claim = storage.claim(`${pod.metadata?.namespace}/${name}`);
    const refusal = whyUnusable(name, claim, isEphemeral);
    if (refusal) return { refusal, plugin: 'VolumeBinding' };
    claims.push(claim!);
  }
  const bound = claims.filter(isBound);
  const unbound = claims.filter((claim) => !isBound(claim));
  if (unbound.some((claim) => !waitsForPod(claim, storage)))
    return { refusal: 'pod has unbound immediate PersistentVolumeClaims', plugin: 'VolumeBinding' };
  const planFor = (node: Node) => plan(unbound, node, storage);
  const exclusive = exclusiveFilter(pod, claims, cluster);
  const binding: Filter = {
    plugin: 'VolumeBinding',
    check: ({ node }) => {
      for (const claim of bound) {
        const refusal = checkBound(storage.volume(claim.spec?.volumeName ?? ''), node);
        if (refusal) return refusal;
      }
      return planFor(node) ? undefined : nothingToBind;
    },
  };
  return { filters: exclusive ? [exclusive, binding] : [binding], planFor };
}

/** The claims that a pod's volumes name; that of an ephemeral volume is named after both. */
export function claimNames({ metadata, spec }: Pod): { name: string; isEphemeral: boolean }[] {
  const names: { name: string; isEphemeral: boolean }[] = [];
  for (const { name, persistentVolumeClaim, ephemeral } of spec?.volumes ?? []) {
    if (persistentVolumeClaim) names.push({ name: persistentVolumeClaim.claimName, isEphemeral: false });
    else if (ephemeral) names.push({ name: `${metadata?.name}-${name}`, isEphemeral: true });
  }
  return names;
}

export function isBound({ spec, status }: PersistentVolumeClaim): boolean {
  return Boolean(spec?.volumeName) && status?.phase === 'Bound';
}

function whyUnusable(
  name: string,
  claim: PersistentVolumeClaim | undefined,
  isEphemeral: boolean,
): string | undefined {
  const text = `persistentvolumeclaim "${name}"`;
  if (!claim)
    return isEphemeral
      ? `waiting for ephemeral volume controller to create the ${text}`
      : `${text} not found`;
  if (claim.status?.phase === 'Lost')
    return `${text} bound to non-existent persistentvolume "${claim.spec?.volumeName}"`;
  return claim.metadata?.deletionTimestamp ? `${text} is being deleted` : undefined;
}

function waitsForPod({ spec }: PersistentVolumeClaim, storage: Storage): boolean {
  if (spec?.volumeName || !spec?.storageClassName) return false;
  return storage.storageClass(spec.storageClassName)?.volumeBindingMode === 'WaitForFirstConsumer';
}

function checkBound(volume: PersistentVolume | undefined, node: Node): Refusal | undefined {
  if (!volume) return volumeGone;
  const required = volume.spec?.nodeAffinity?.required;
  if (required && !matchesNodeSelector(required, node)) return affinityConflict;
  const isElsewhere = zoneKeys.some((key) => {
    const zones = volume.metadata?.labels?.[key];
    return zones !== undefined && !zones.split('__').includes(node.metadata?.labels?.[key] ?? '');
  });
  return isElsewhere ? otherZone : undefined;
}

/** Undefined when a claim would find no volume on the node. The smallest claims choose first. */
function plan(
  unbound: readonly PersistentVolumeClaim[],
  node: Node,
  storage: Storage,
): VolumePlan | undefined {
  const bind: { volume: PersistentVolume; claim: PersistentVolumeClaim }[] = [];
  const provision: PersistentVolumeClaim[] = [];
  const taken = new Set<string>();
  for (const claim of unbound) {
    const selected = claim.metadata?.annotations?.[selectedNodeAnnotation];
    if (selected !== undefined && selected !== node.metadata?.name) return undefined;
    const volume = selected === undefined ? findVolume(claim, node, storage, taken) : undefined;
    if (volume) {
      taken.add(volume.metadata?.name ?? '');
      bind.push({ volume, claim });
    } else if (isClassAllowedOn(storage.storageClass(claim.spec?.storageClassName ?? ''), node)) {
      provision.push(claim);
    } else return undefined;
  }
  return { bind, provision };
}

/** VolumeRestrictions: a ReadWriteOncePod claim has one pod at a time in the whole cluster. */
function exclusiveFilter(
  pod: Pod,
  claims: readonly PersistentVolumeClaim[],
  cluster: Cluster,
): Filter | undefined {
  const exclusive = new Set(
    claims
      .filter(({ spec }) => spec?.accessModes?.includes('ReadWriteOncePod'))
      .map(({ metadata }) => metadata?.name),
  );
  if (exclusive.size === 0) return undefined;
  const uses = (placed: PlacedPod) =>
    placed.pod.metadata?.namespace === pod.metadata?.namespace &&
    claimNames(placed.pod).some(({ name }) => exclusive.has(name));
  let users = 0;
  for (const [placed] of cluster.podsIn(pod.metadata?.namespace ?? '')) if (uses(placed)) users += 1;
  return {
    plugin: 'VolumeRestrictions',
    check: () => (users > 0 ? usedElsewhere : undefined),
    adjust: (placed, _, by) => {
      if (uses(placed)) users += by;
    },
  };
}
