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
    persistentVolumeClaim: { claimName: claimName(template, statefulSet, ordinal), readOnly: false },
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
  { statefulSet, pod, isCondemned }: { statefulSet: StatefulSet; pod: Pod | undefined; isCondemned: boolean },
): OwnerReference[] | undefined {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } =
    statefulSet.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const current = claim.metadata?.ownerReferences ?? [];
  const setUid = statefulSet.metadata?.uid;
  const others = current.filter(
    ({ kind, name, uid }) =>
      uid !== setUid && !(kind === 'Pod' && name === pod?.metadata?.name) && uid !== pod?.metadata?.uid,
  );
  const wanted = [...others];
  // Somebody else manages it: its life is no business of the set.
  if (!others.some(({ controller }) => controller)) {
    if (whenScaled === 'Delete' && isCondemned && pod) wanted.push(controllerReference(podKind, pod));
    else if (whenDeleted === 'Delete') wanted.push(controllerReference(statefulSetKind, statefulSet));
  }
  return isEqualSemantically(wanted, current) ? undefined : wanted;
}

/** Whether the claim is to go with a pod of this name, which is not there any more. */
export function isLeftBy({ metadata }: PersistentVolumeClaim, podName: string): boolean {
  return metadata?.ownerReferences?.some(({ kind, name }) => kind === 'Pod' && name === podName) ?? false;
}
