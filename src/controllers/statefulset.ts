import {
  type ControllerRevision,
  controllerRevision as revisionKind,
} from '../api/kinds/controllerRevision.ts';
import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { type StatefulSet, statefulSet as statefulSetKind } from '../api/kinds/statefulSet.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { PodTemplateSpec } from '../api/parts/podSpec.ts';
import { hasPodEnded } from '../api/pod-ended.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { claim, controllerOf, isControlledBy, keyOfMeta } from './owner.ts';
import {
  keepRevision,
  ownedRevisions,
  RevisionCollision,
  removeRevisions,
  surplusRevisions,
} from './revisions.ts';
import { claimsKeeper } from './statefulset/claims-keeper.ts';
import { plan } from './statefulset/plan.ts';
import { missingIdentity, ordinalOf, podOf, revisionOf } from './statefulset/pod.ts';
import { writeStatus } from './write-status.ts';

/** Keeps the pods of StatefulSets, each under its own name. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const statefulSets = informers.of(statefulSetKind);
  const [pods, revisions] = [informers.of(podKind), informers.of(revisionKind)];
  const claims = informers.of(claimKind);
  const events = context.recorder('statefulset-controller');
  const ownClaims = claimsKeeper({ client, claims, events });

  const ownerKey = (object: Pod | ControllerRevision): string | undefined => {
    const owner = controllerOf(object);
    return owner?.kind === 'StatefulSet' ? `${object.metadata?.namespace}/${owner.name}` : undefined;
  };
  const keysForPod = (change: Change<Pod>): string[] => {
    const pod = change.object;
    const before = change.type === 'modified' ? ownerKey(change.previous) : undefined;
    const keys = [ownerKey(pod), before].filter((each) => each !== undefined);
    if (keys.length > 0 || change.type === 'deleted' || controllerOf(pod)) return [...new Set(keys)];
    const adopters = statefulSets.byIndex('namespace', pod.metadata?.namespace ?? '');
    return adopters.filter((each) => isMember(each, pod)).map(keyOf);
  };
  const isMember = (statefulSet: StatefulSet, pod: Pod) =>
    labelSelector(statefulSet.spec?.selector)(pod) && ordinalOf(statefulSet, pod) !== undefined;

  async function reconcile(key: string): Promise<number | undefined> {
    const statefulSet = statefulSets.get(key);
    if (!statefulSet) return undefined;
    const { uid = '', namespace = '' } = statefulSet.metadata ?? {};
    const owned = await claim({
      client,
      owner: statefulSet,
      ownerKind: statefulSetKind,
      kind: podKind,
      candidates: [...pods.byIndex('owner', uid), ...pods.byIndex('orphan', namespace)],
      isSelected: (pod) => isMember(statefulSet, pod),
    });
    const isSelected = labelSelector(statefulSet.spec?.selector);
    const history = await ownedRevisions(client, statefulSet, statefulSetKind, { revisions, isSelected });
    const update = statefulSet.metadata?.deletionTimestamp
      ? undefined
      : await revisionFor(statefulSet, history);
    const updateRevision = update?.metadata?.name ?? statefulSet.status?.updateRevision ?? '';
    const current = history.find(({ metadata }) => metadata?.name === statefulSet.status?.currentRevision);
    const currentRevision = current?.metadata?.name ?? updateRevision;
    const state = { statefulSet, pods: owned, currentRevision, updateRevision, nowMs: clock.nowMs() };
    const planned = plan(state);
    try {
      if (!statefulSet.metadata?.deletionTimestamp) {
        // Who owns the claims must be settled before a pod goes that may take them along.
        for (const pod of owned) await keepIdentity(statefulSet, pod);
      }
      for (const pod of planned.remove) await remove(statefulSet, pod);
      for (const { ordinal, isUpdated } of planned.create) {
        const revision = isUpdated ? updateRevision : currentRevision;
        const template = isUpdated || !current ? statefulSet.spec!.template : templateOf(current);
        const pod = podOf(statefulSet, ordinal, { template, revision });
        await create(statefulSet, pod, ordinal);
      }
    } finally {
      await writeStatus(client, statefulSetKind, statefulSet, planned.status);
    }
    const live = new Set([currentRevision, updateRevision, ...owned.map(revisionOf)]);
    const isLive = ({ metadata }: ControllerRevision) => live.has(metadata?.name);
    await removeRevisions(client, surplusRevisions(statefulSet, history, isLive));
    const { minReadySeconds = 0 } = statefulSet.spec ?? {};
    const isWaiting = (planned.status.readyReplicas ?? 0) > (planned.status.availableReplicas ?? 0);
    return isWaiting ? minReadySeconds * 1000 : undefined;
  }

  async function revisionFor(statefulSet: StatefulSet, history: readonly ControllerRevision[]) {
    try {
      return await keepRevision(client, statefulSet, statefulSetKind, history);
    } catch (error) {
      if (error instanceof RevisionCollision) {
        const { status } = statefulSet;
        const collisionCount = (status?.collisionCount ?? 0) + 1;
        const counts = { replicas: 0, availableReplicas: 0 };
        await writeStatus(client, statefulSetKind, statefulSet, { ...counts, ...status, collisionCount });
      }
      throw error;
    }
  }

  /** What a pod has from its name: labels where it was taken in without, and the claims, which others may have deleted. */
  async function keepIdentity(statefulSet: StatefulSet, pod: Pod): Promise<void> {
    const ordinal = ordinalOf(statefulSet, pod) ?? -1;
    const { replicas = 1, ordinals } = statefulSet.spec!;
    const start = ordinals?.start ?? 0;
    const isCondemned = ordinal < start || ordinal >= start + replicas;
    if (hasPodEnded(pod) && !isCondemned) return;
    if (isCondemned) {
      await ownClaims.settle(statefulSet, pod, { isCondemned });
      return;
    }
    if (pod.status?.phase === 'Pending') {
      await ownClaims.make(statefulSet, ordinal);
      await ownClaims.settle(statefulSet, pod, { isCondemned });
    }
    const labels = missingIdentity(pod, ordinal);
    try {
      if (labels) await client.patch(podKind, keyOfMeta(pod.metadata ?? {}), labelling(pod, labels));
      const isSettled = await ownClaims.settle(statefulSet, pod, { isCondemned });
      if (labels || isSettled) tell(statefulSet, 'Update', pod);
    } catch (error) {
      tell(statefulSet, 'Update', pod, error);
      throw error;
    }
  }

  const labelling = ({ metadata }: Pod, labels: Record<string, string>) => ({
    type: 'merge' as const,
    body: { metadata: { uid: metadata?.uid, labels } },
  });

  /** A claim that has come or gone lets its set's pods come. */
  const keysForClaim = ({ object, type }: Change<PersistentVolumeClaim>): string[] => {
    if (type === 'modified') return [];
    const { namespace = '', name = '' } = object.metadata ?? {};
    return statefulSets
      .byIndex('namespace', namespace)
      .filter(({ metadata, spec }) =>
        spec?.volumeClaimTemplates?.some((template) =>
          name.startsWith(`${template.metadata?.name}-${metadata?.name}-`),
        ),
      )
      .map(keyOf);
  };

  async function create(statefulSet: StatefulSet, pod: Pod, ordinal: number): Promise<void> {
    ownClaims.refuseLeft(statefulSet, pod, ordinal);
    try {
      await ownClaims.make(statefulSet, ordinal);
      await client.create(podKind, pod);
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) {
        const present = await client.get(podKind, keyOfMeta(pod.metadata ?? {})).catch(() => undefined);
        // Ours already, only our cache does not have it yet; or just going, and its end calls us again.
        if (!present || isControlledBy(present, statefulSet)) return;
      } else tell(statefulSet, 'Create', pod, error);
      throw error;
    }
    tell(statefulSet, 'Create', pod);
  }

  async function remove(statefulSet: StatefulSet, pod: Pod): Promise<void> {
    const { uid = '', ...metadata } = pod.metadata ?? {};
    try {
      await client.delete(podKind, keyOfMeta(metadata), { preconditions: { uid } });
    } catch (error) {
      if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
      tell(statefulSet, 'Delete', pod, error);
      throw error;
    }
    tell(statefulSet, 'Delete', pod);
  }

  function tell(
    statefulSet: StatefulSet,
    verb: 'Create' | 'Update' | 'Delete',
    { metadata }: Pod,
    error?: unknown,
  ): void {
    const subject = subjectOf(statefulSetKind, statefulSet);
    const what = `${verb.toLowerCase()} Pod ${metadata?.name} in StatefulSet ${statefulSet.metadata?.name}`;
    if (error === undefined) events.record(subject, 'Normal', `Successful${verb}`, `${what} successful`);
    else events.record(subject, 'Warning', `Failed${verb}`, `${what} failed error: ${messageOf(error)}`);
  }

  return runController(context, {
    name: 'statefulset',
    sources: [
      source(statefulSetKind, ({ key }) => [key]),
      source(podKind, keysForPod),
      source(claimKind, keysForClaim),
      source(revisionKind, ({ object }) => [ownerKey(object)].filter((key) => key !== undefined)),
    ],
    reconcile,
  });
}

function templateOf({ data }: ControllerRevision): PodTemplateSpec {
  // What keepRevision wrote: a patch with the whole template.
  const { $patch: _, ...template } = (data as { spec: { template: PodTemplateSpec & { $patch?: string } } })
    .spec.template;
  return template;
}
