import { isEqualSemantically } from '../../api/equal.ts';
import type { PersistentVolumeClaim } from '../../api/kinds/persistentVolumeClaim.ts';
import { type Pod, pod as podKind } from '../../api/kinds/pod.ts';
import { type StatefulSet, statefulSet as statefulSetKind } from '../../api/kinds/statefulSet.ts';
import type { OwnerReference } from '../../api/object.ts';
import type { Volume } from '../../api/parts/volume.ts';
import { controllerReference } from '../owner.ts';

/** `<template>-<set>-<ordinal>`: a pod that comes back under its name finds its claims. */
export function claimName(
  template: PersistentVolumeClaim,
  statefulSet: StatefulSet,
  ordinal: number,
): string {
  return `${template.metadata?.name}-${statefulSet.metadata?.name}-${ordinal}`;
}

/** The claims of the pod of one ordinal. */
export function claimsOf(statefulSet: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  const { selector, volumeClaimTemplates = [] } = statefulSet.spec!;
  return volumeClaimTemplates.map((template) => {
    const { labels, annotations } = template.metadata ?? {};
    return {
      metadata: {
        name: claimName(template, statefulSet, ordinal),
        namespace: statefulSet.metadata?.namespace ?? '',
        labels: { ...labels, ...selector.matchLabels },
        ...(annotations && { annotations }),
      },
      spec: template.spec!,
    };
  });
}

/** The template's volumes, those with the name of a claim template replaced by the claim. */
export function withClaims(
  statefulSet: StatefulSet,
  ordinal: number,
  volumes: readonly Volume[] = [],
): Volume[] {
  const { volumeClaimTemplates = [] } = statefulSet.spec!;
  const claimed = volumeClaimTemplates.map((template) => ({
    name: template.metadata?.name ?? '',
    persistentVolumeClaim: { claimName: claimName(template, statefulSet, ordinal) },
  }));
  const names = new Set(claimed.map(({ name }) => name));
  return [...claimed, ...volumes.filter(({ name }) => !names.has(name))];
}

/**
 * The owners of a claim by the set's retention policy: what owns it takes it along when it goes. The owners that others
 * gave it stay. Undefined where nothing has to change.
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
 */
export function ownersOf(
  claim: PersistentVolumeClaim,
  { statefulSet, pod, isCondemned }: { statefulSet: StatefulSet; pod: Pod; isCondemned: boolean },
): OwnerReference[] | undefined {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } =
    statefulSet.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const current = claim.metadata?.ownerReferences ?? [];
  const [bySet, byPod] = referencesOf(statefulSet, pod);
  const named = current.filter((owner) => isSameName(owner, bySet) || isSameName(owner, byPod));
  // It goes with a former set or pod of that name, and that must not be stopped.
  if (named.some(({ uid }) => uid !== bySet.uid && uid !== byPod.uid)) return undefined;
  const wanted = current.filter((owner) => !named.includes(owner));
  if (!hasOtherController(claim, statefulSet, pod)) {
    if (whenScaled === 'Delete' && isCondemned) wanted.push(byPod);
    else if (whenDeleted === 'Delete') wanted.push(bySet);
  }
  return isEqualSemantically(wanted, current) ? undefined : wanted;
}

/** Whether somebody else manages the claim, so that its life is no business of the set. */
export function hasOtherController(
  { metadata }: PersistentVolumeClaim,
  statefulSet: StatefulSet,
  pod: Pod,
): boolean {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } =
    statefulSet.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  if (whenDeleted === 'Retain' && whenScaled === 'Retain') return false;
  const own = referencesOf(statefulSet, pod);
  return (metadata?.ownerReferences ?? []).some((owner) => {
    const mine = own.find((reference) => isSameName(owner, reference));
    return mine ? mine.uid !== owner.uid : owner.controller === true;
  });
}

const referencesOf = (statefulSet: StatefulSet, pod: Pod) =>
  [controllerReference(statefulSetKind, statefulSet), controllerReference(podKind, pod)] as const;

const isSameName = (a: OwnerReference, b: OwnerReference) =>
  a.apiVersion === b.apiVersion && a.kind === b.kind && a.name === b.name;

/** Whether the claim is to go with a pod of this name, which is not there any more. */
export function isLeftBy({ metadata }: PersistentVolumeClaim, podName: string): boolean {
  return metadata?.ownerReferences?.some(({ kind, name }) => kind === 'Pod' && name === podName) ?? false;
}
