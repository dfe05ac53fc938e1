import type { Node } from '../api/kinds/node.ts';
import type { PersistentVolume } from '../api/kinds/persistentVolume.ts';
import type { PersistentVolumeClaim } from '../api/kinds/persistentVolumeClaim.ts';
import type { StorageClass } from '../api/kinds/storageClass.ts';
import { compareQuantities } from '../api/quantity.ts';
import { matchesSelector } from './labels.ts';
import { matchesNodeSelector } from './node-affinity.ts';
import type { Storage } from './volumes.ts';

/** The provisioner of classes whose volumes people make. */
const nobody = 'kubernetes.io/no-provisioner';

/** The smallest volume that is free, fits the claim and can be reached from the node. */
export function findVolume(
  claim: PersistentVolumeClaim,
  node: Node,
  storage: Storage,
  taken: ReadonlySet<string>,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of storage.volumes()) {
    if (taken.has(volume.metadata?.name ?? '') || !isFreeFor(volume, claim, storage)) continue;
    if (!suits(volume, claim) || !isReachable(volume, node)) continue;
    // One that was kept for this very claim comes before all others.
    if (volume.spec?.claimRef) return volume;
    if (!best || compareQuantities(sizeOf(volume), sizeOf(best)) < 0) best = volume;
  }
  return best;
}

/** Whether a volume of the class can be made for a node. */
export function isClassAllowedOn(storageClass: StorageClass | undefined, node: Node): boolean {
  if (!storageClass || storageClass.provisioner === nobody) return false;
  const { allowedTopologies = [] } = storageClass;
  const labels = node.metadata?.labels ?? {};
  return (
    allowedTopologies.length === 0 ||
    allowedTopologies.some(({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.every(({ key, values }) => values.includes(labels[key] ?? '')),
    )
  );
}

function isFreeFor(volume: PersistentVolume, claim: PersistentVolumeClaim, storage: Storage): boolean {
  const { namespace, name, uid } = claim.metadata ?? {};
  const { claimRef } = volume.spec ?? {};
  if (volume.metadata?.deletionTimestamp) return false;
  const assumed = storage.assumedClaim(volume.metadata?.name ?? '');
  if (assumed !== undefined && assumed !== `${namespace}/${name}`) return false;
  if (claimRef)
    return (
      claimRef.namespace === namespace && claimRef.name === name && (!claimRef.uid || claimRef.uid === uid)
    );
  return volume.status?.phase === undefined || volume.status.phase === 'Available';
}

function suits({ spec, metadata }: PersistentVolume, { spec: claim }: PersistentVolumeClaim): boolean {
  return (
    (spec?.storageClassName ?? '') === (claim?.storageClassName ?? '') &&
    (spec?.volumeMode ?? 'Filesystem') === (claim?.volumeMode ?? 'Filesystem') &&
    (claim?.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode)) &&
    compareQuantities(spec?.capacity?.storage ?? '0', claim?.resources?.requests?.storage ?? '0') >= 0 &&
    (!claim?.selector || matchesSelector(claim.selector, metadata?.labels))
  );
}

function isReachable({ spec }: PersistentVolume, node: Node): boolean {
  const required = spec?.nodeAffinity?.required;
  return !required || matchesNodeSelector(required, node);
}

function sizeOf({ spec }: PersistentVolume): string {
  return spec?.capacity?.storage ?? '0';
}
