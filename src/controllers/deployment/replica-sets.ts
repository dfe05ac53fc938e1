import { scaledValue } from '../../api/int-or-string.ts';
import { type Deployment, deployment as deploymentKind } from '../../api/kinds/deployment.ts';
import type { ReplicaSet } from '../../api/kinds/replicaSet.ts';
import { controllerReference } from '../owner.ts';
import { hashLabel, isSameTemplate, templateHash } from './template.ts';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';
/** These say something of the Deployment or of the ReplicaSet alone and are not handed down. */
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
]);
const revisionHistoryCharactersMax = 2000;

/** A Deployment's ReplicaSets: the one of today's template, if it is there, and those of earlier ones, oldest first. */
export interface Revisions {
  current: ReplicaSet | undefined;
  old: ReplicaSet[];
}

export function sortRevisions(deployment: Deployment, replicaSets: readonly ReplicaSet[]): Revisions {
  const byAge = [...replicaSets].sort(
    (a, b) => createdMs(a) - createdMs(b) || (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? ''),
  );
  const current = byAge.find((each) => isSameTemplate(each.spec?.template, deployment.spec?.template));
  return { current, old: byAge.filter((each) => each !== current) };
}

export const desiredReplicas = ({ spec }: Deployment) => spec?.replicas ?? 1;
export const replicasOf = ({ spec }: ReplicaSet) => spec?.replicas ?? 1;
export const availableOf = ({ status }: ReplicaSet) => status?.availableReplicas ?? 0;
export const revisionOf = (replicaSet: ReplicaSet) =>
  Number(replicaSet.metadata?.annotations?.[revisionAnnotation] ?? 0) || 0;
export const isActive = (replicaSet: ReplicaSet) => replicasOf(replicaSet) > 0;
export const isRolling = ({ spec }: Deployment) => spec?.strategy?.type !== 'Recreate';

export function sum(replicaSets: readonly ReplicaSet[], count: (replicaSet: ReplicaSet) => number): number {
  return replicaSets.reduce((total, each) => total + count(each), 0);
}

/** Both as counts: surge is rounded up and unavailable down, and they are never both 0. */
export function fenceposts(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  if (!isRolling(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const desired = desiredReplicas(deployment);
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, desired, 'up');
  const unavailable = scaledValue(maxUnavailable, desired, 'down');
  const atLeastOne = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { maxSurge: surge, maxUnavailable: Math.min(atLeastOne, desired) };
}

/** The size that the current ReplicaSet may have by now, given how many pods the others still have. */
export function allowedCurrentReplicas(deployment: Deployment, { current, old }: Revisions): number {
  const desired = desiredReplicas(deployment);
  const present = current ? replicasOf(current) : 0;
  if (!isRolling(deployment)) return desired;
  const room = desired + fenceposts(deployment).maxSurge - sum(old, replicasOf) - present;
  return room <= 0 ? present : present + Math.min(room, desired - present);
}

/** The ReplicaSet for a template that has none yet. */
export function newReplicaSet(deployment: Deployment, revisions: Revisions): ReplicaSet {
  const { metadata, spec, status } = deployment;
  const hash = templateHash(spec?.template, status?.collisionCount);
  const { name = '', namespace = '' } = metadata ?? {};
  const { template } = spec!;
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  const replicaSet: ReplicaSet = {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      ownerReferences: [controllerReference(deploymentKind, deployment)],
    },
    spec: {
      replicas: allowedCurrentReplicas(deployment, revisions),
      ...(spec?.minReadySeconds && { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec!.selector,
        matchLabels: { ...spec!.selector.matchLabels, [hashLabel]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
  return withSizes(withRevision(replicaSet, deployment, revisions.old), deployment);
}

/** The current ReplicaSet as it should be but for its size: newest revision, and the Deployment's annotations. */
export function refreshed(
  current: ReplicaSet,
  deployment: Deployment,
  old: readonly ReplicaSet[],
): ReplicaSet {
  const { minReadySeconds } = deployment.spec ?? {};
  const annotated = withRevision(current, deployment, old);
  return {
    ...annotated,
    spec: { ...annotated.spec!, ...(minReadySeconds !== undefined && { minReadySeconds }) },
  };
}

export function resized(replicaSet: ReplicaSet, replicas: number, deployment: Deployment): ReplicaSet {
  return withSizes({ ...replicaSet, spec: { ...replicaSet.spec!, replicas } }, deployment);
}

/** Notes what the Deployment wanted, so that a later change of its size is told from a rollout. */
function withSizes(replicaSet: ReplicaSet, deployment: Deployment): ReplicaSet {
  const desired = desiredReplicas(deployment);
  const most = desired + fenceposts(deployment).maxSurge;
  return withAnnotations(replicaSet, {
    [desiredReplicasAnnotation]: String(desired),
    [maxReplicasAnnotation]: String(most),
  });
}

function withRevision(
  replicaSet: ReplicaSet,
  deployment: Deployment,
  old: readonly ReplicaSet[],
): ReplicaSet {
  const handedDown = Object.entries(deployment.metadata?.annotations ?? {}).filter(
    ([name]) => !ownAnnotations.has(name),
  );
  const next = Math.max(0, ...old.map(revisionOf)) + 1;
  const previous = revisionOf(replicaSet);
  const history = replicaSet.metadata?.annotations?.[revisionHistoryAnnotation];
  const longer = [...(history?.split(',') ?? []), String(previous)].join(',');
  return withAnnotations(replicaSet, {
    ...Object.fromEntries(handedDown),
    ...(previous < next && { [revisionAnnotation]: String(next) }),
    ...(previous > 0 &&
      previous < next && { [revisionHistoryAnnotation]: longer.slice(-revisionHistoryCharactersMax) }),
  });
}

function withAnnotations(replicaSet: ReplicaSet, annotations: Record<string, string>): ReplicaSet {
  const { metadata } = replicaSet;
  return {
    ...replicaSet,
    metadata: { ...metadata, annotations: { ...metadata?.annotations, ...annotations } },
  };
}

export function createdMs({ metadata }: ReplicaSet): number {
  return Date.parse(metadata?.creationTimestamp ?? '') || 0;
}
