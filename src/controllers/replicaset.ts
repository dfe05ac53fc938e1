import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import {
  type ReplicaSet,
  type ReplicaSetStatus,
  replicaSet as replicaSetKind,
} from '../api/kinds/replicaSet.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { toTime } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { hasLabels } from '../scheduler/labels.ts';
import { type Context, runController, source } from './controller.ts';
import { rankForDeletion } from './deletion-rank.ts';
import { Expectations } from './expectations.ts';
import { claim, controllerOf, controllerReference } from './owner.ts';
import { createPods, deletePods } from './pod-changes.ts';
import { isPodActive, isPodAvailable, isPodReady } from './pods.ts';
import { withCondition, writeStatus } from './write-status.ts';

/** Pods created or deleted in one go; the rest follows when these are seen. */
export const burstMax = 500;

export interface ReplicaSetPlan {
  /** How many pods to create. */
  create: number;
  delete: Pod[];
}

/** How to come from the active pods to `spec.replicas`. `related` finds the pods of the same Deployment. */
export function plan(
  replicaSet: ReplicaSet,
  active: readonly Pod[],
  related: () => readonly Pod[],
): ReplicaSetPlan {
  const surplus = active.length - (replicaSet.spec?.replicas ?? 1);
  if (surplus <= 0) return { create: Math.min(-surplus, burstMax), delete: [] };
  return { create: 0, delete: rankForDeletion(active, related()).slice(0, Math.min(surplus, burstMax)) };
}

/** `failure` is what went wrong with the plan, if anything. */
export function statusOf(
  replicaSet: ReplicaSet,
  active: readonly Pod[],
  nowMs: number,
  failure?: { reason: 'FailedCreate' | 'FailedDelete'; message: string },
): ReplicaSetStatus {
  const { template, minReadySeconds = 0 } = replicaSet.spec ?? {};
  const labels = template?.metadata?.labels ?? {};
  const kept = replicaSet.status?.conditions ?? [];
  const condition = failure && {
    type: 'ReplicaFailure',
    status: 'True' as const,
    lastTransitionTime: toTime(nowMs),
    ...failure,
  };
  const conditions = condition
    ? withCondition(kept, condition)
    : kept.filter(({ type }) => type !== 'ReplicaFailure');
  let [fullyLabeledReplicas, readyReplicas, availableReplicas] = [0, 0, 0];
  for (const pod of active) {
    if (hasLabels(labels, pod.metadata?.labels)) fullyLabeledReplicas++;
    if (!isPodReady(pod)) continue;
    readyReplicas++;
    if (isPodAvailable(pod, minReadySeconds, nowMs)) availableReplicas++;
  }
  return {
    replicas: active.length,
    // What is none is not shown.
    ...(fullyLabeledReplicas > 0 && { fullyLabeledReplicas }),
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(availableReplicas > 0 && { availableReplicas }),
    observedGeneration: replicaSet.metadata?.generation ?? 0,
    ...(conditions.length > 0 && { conditions }),
  };
}

/** Keeps as many pods of each ReplicaSet as it asks for. */
export function run(context: Context): Running {
  return runReplicas(context, {
    kind: replicaSetKind,
    name: 'replicaset',
    component: 'replicaset-controller',
    asReplicaSet: (replicaSet) => replicaSet,
  });
}

/** A kind whose objects can be seen as ReplicaSets. */
export interface ReplicasKind<T extends KubeObject> {
  kind: KindAddress<T>;
  /** Of the controller, in logs, and of the component that tells events. */
  name: string;
  component: string;
  asReplicaSet(object: T): ReplicaSet;
}

export function runReplicas<T extends KubeObject & { status?: ReplicaSetStatus }>(
  context: Context,
  { kind, name, component, asReplicaSet }: ReplicasKind<T>,
): Running {
  const { client, clock, informers } = context;
  const [owners, pods] = [informers.of(kind), informers.of(podKind)];
  const expectations = new Expectations(clock);
  const events = context.recorder(component);

  const ownerKey = (pod: Pod): string | undefined => {
    const owner = controllerOf(pod);
    return owner?.kind === kind.kind ? `${pod.metadata?.namespace}/${owner.name}` : undefined;
  };
  const keysForPod = (change: Change<Pod>): string[] => {
    const pod = change.object;
    const key = ownerKey(pod);
    if (change.type === 'added' && key) expectations.creationSeen(key);
    const isGoing = change.type === 'deleted' || pod.metadata?.deletionTimestamp;
    if (isGoing && key) expectations.deletionSeen(key, pod.metadata?.uid ?? '');
    const before = change.type === 'modified' ? ownerKey(change.previous) : undefined;
    if (key) return before && before !== key ? [key, before] : [key];
    const isFree = change.type !== 'deleted' && !controllerOf(pod);
    const adopters = isFree ? owners.byIndex('namespace', pod.metadata?.namespace ?? '') : [];
    const keys = adopters.filter((each) => labelSelector(asReplicaSet(each).spec?.selector)(pod)).map(keyOf);
    return before ? [...keys, before] : keys;
  };

  async function reconcile(key: string): Promise<number | undefined> {
    const object = owners.get(key);
    if (!object) {
      expectations.forget(key);
      return undefined;
    }
    const replicaSet = asReplicaSet(object);
    // Read before the pods: what is seen after this calls for the key once more.
    const mayAct = expectations.areMet(key) && !replicaSet.metadata?.deletionTimestamp;
    const { uid = '', namespace = '' } = replicaSet.metadata ?? {};
    const candidates = [...pods.byIndex('owner', uid), ...pods.byIndex('orphan', namespace)];
    const active = await claim({
      client,
      owner: object,
      ownerKind: kind,
      kind: podKind,
      candidates: candidates.filter(isPodActive),
      isSelected: labelSelector(replicaSet.spec?.selector),
    });
    let failure: Parameters<typeof statusOf>[3];
    let error: unknown;
    if (mayAct) {
      const { create, delete: surplus } = plan(replicaSet, active, () => relatedPods(replicaSet));
      const changes = { client, events, expectations, key, subject: subjectOf(kind, object) };
      if (create > 0) {
        const wanted = Array.from({ length: create }, () => podOf(replicaSet, kind));
        error = (await createPods(changes, wanted)).error;
      } else error = await deletePods(changes, surplus);
      const reason = create > 0 ? 'FailedCreate' : 'FailedDelete';
      if (error) failure = { reason, message: messageOf(error) };
    }
    const status = statusOf(replicaSet, active, clock.nowMs(), failure);
    await writeStatus(client, kind, object, status);
    if (error) throw error;
    const { minReadySeconds = 0 } = replicaSet.spec ?? {};
    const isWaiting = (status.readyReplicas ?? 0) > (status.availableReplicas ?? 0);
    return isWaiting ? minReadySeconds * 1000 : undefined;
  }

  function relatedPods(replicaSet: ReplicaSet): Pod[] {
    const owner = controllerOf(replicaSet);
    const siblings = owner ? owners.byIndex('owner', owner.uid) : [replicaSet];
    return siblings.flatMap(({ metadata }) => pods.byIndex('owner', metadata?.uid ?? '')).filter(isPodActive);
  }

  return runController(context, {
    name,
    sources: [source(kind, ({ key }) => [key]), source(podKind, keysForPod)],
    reconcile,
  });
}

/** A new pod from the template, which the server gives its name. */
export function podOf(replicaSet: ReplicaSet, kind: KindAddress = replicaSetKind): Pod {
  const { template } = replicaSet.spec ?? {};
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  const { name = '', namespace = '' } = replicaSet.metadata ?? {};
  return {
    metadata: {
      generateName: `${name}-`,
      namespace,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerReference(kind, replicaSet)],
    },
    ...(template?.spec && { spec: template.spec }),
  };
}
