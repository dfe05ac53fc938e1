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
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { claim, controllerOf, isControlledBy, keyOfMeta } from './owner.ts';
import { keepRevision, RevisionCollision, removeRevisions, surplusRevisions } from './revisions.ts';
import { claimsOf, isLeftBy, ownersOf } from './statefulset/claims.ts';
import { plan } from './statefulset/plan.ts';
import { ordinalOf, podOf, revisionOf } from './statefulset/pod.ts';
import { writeStatus } from './write-status.ts';

/** Keeps the pods of StatefulSets, each under its own name. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const statefulSets = informers.of(statefulSetKind);
  const [pods, revisions] = [informers.of(podKind), informers.of(revisionKind)];
  const claims = informers.of(claimKind);
  const events = context.recorder('statefulset-controller');

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
    const history = revisions.byIndex('owner', uid);
    const update = statefulSet.metadata?.deletionTimestamp
      ? undefined
      : await revisionFor(statefulSet, history);
    const updateRevision = update?.metadata?.name ?? statefulSet.status?.updateRevision ?? '';
    const current = history.find(({ metadata }) => metadata?.name === statefulSet.status?.currentRevision);
    const currentRevision = current?.metadata?.name ?? updateRevision;
    const state = { statefulSet, pods: owned, currentRevision, updateRevision, nowMs: clock.nowMs() };
    const planned = plan(state);
    for (const pod of planned.ended) tellEnded(statefulSet, pod);
    // Who owns the claims must be settled before a pod goes that may take them along.
    for (const pod of owned) await settleClaims(statefulSet, pod);
    for (const pod of planned.remove) await remove(statefulSet, pod);
    for (const { ordinal, isUpdated } of planned.create) {
      const revision = isUpdated ? updateRevision : currentRevision;
      const template = isUpdated || !current ? statefulSet.spec!.template : templateOf(current);
      await makeClaims(statefulSet, ordinal);
      await create(statefulSet, podOf(statefulSet, ordinal, { template, revision }));
    }
    await writeStatus(client, statefulSetKind, statefulSet, planned.status);
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

  /** Claims are made before their pod, and those that are there are used again. */
  async function makeClaims(statefulSet: StatefulSet, ordinal: number): Promise<void> {
    const { name, namespace } = statefulSet.metadata ?? {};
    const subject = subjectOf(statefulSetKind, statefulSet);
    for (const claim of claimsOf(statefulSet, ordinal)) {
      const claimName = claim.metadata?.name ?? '';
      const present = claims.get(`${namespace}/${claimName}`);
      if (present?.metadata?.deletionTimestamp) {
        const why = `pvc ${claimName} is being deleted`;
        events.record(
          subject,
          'Warning',
          'FailedCreate',
          `create Pod ${name}-${ordinal} failed error: ${why}`,
        );
        throw new StatusError('Conflict', why);
      }
      // It goes with the pod that was scaled down; a new pod gets a new one.
      if (present && isLeftBy(present, `${name}-${ordinal}`)) {
        throw new StatusError('Conflict', `pvc ${claimName} goes with its former pod`);
      }
      if (present) continue;
      const what = `create Claim ${claimName} Pod ${name}-${ordinal} in StatefulSet ${name}`;
      try {
        await client.create(claimKind, claim);
        events.record(subject, 'Normal', 'SuccessfulCreate', `${what} success`);
      } catch (error) {
        if (isStatus(error, 'AlreadyExists')) continue;
        events.record(subject, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`);
        throw error;
      }
    }
  }

  /** Lets the pod or the set own the pod's claims, as the retention policy says. */
  async function settleClaims(statefulSet: StatefulSet, pod: Pod): Promise<void> {
    if (!statefulSet.spec?.volumeClaimTemplates?.length) return;
    const { replicas = 1, ordinals } = statefulSet.spec;
    const ordinal = ordinalOf(statefulSet, pod) ?? -1;
    const start = ordinals?.start ?? 0;
    const isCondemned = ordinal < start || ordinal >= start + replicas;
    for (const { metadata } of claimsOf(statefulSet, ordinal)) {
      const claim = claims.get(`${metadata?.namespace}/${metadata?.name}`);
      const ownerReferences = claim && ownersOf(claim, { statefulSet, pod, isCondemned });
      if (!claim || !ownerReferences) continue;
      await client.update(claimKind, { ...claim, metadata: { ...claim.metadata, ownerReferences } });
    }
  }

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

  async function create(statefulSet: StatefulSet, pod: Pod): Promise<void> {
    const subject = subjectOf(statefulSetKind, statefulSet);
    const what = `create Pod ${pod.metadata?.name} in StatefulSet ${statefulSet.metadata?.name}`;
    try {
      await client.create(podKind, pod);
      events.record(subject, 'Normal', 'SuccessfulCreate', `${what} successful`);
    } catch (error) {
      if (isStatus(error, 'AlreadyExists')) {
        const present = await client.get(podKind, keyOfMeta(pod.metadata ?? {})).catch(() => undefined);
        // Ours already, only our cache does not have it yet; or just going, and its end calls us again.
        if (!present || isControlledBy(present, statefulSet)) return;
      }
      events.record(subject, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`);
      throw error;
    }
  }

  async function remove(statefulSet: StatefulSet, { metadata = {} }: Pod): Promise<void> {
    const subject = subjectOf(statefulSetKind, statefulSet);
    const what = `delete Pod ${metadata.name} in StatefulSet ${statefulSet.metadata?.name}`;
    try {
      await client.delete(podKind, keyOfMeta(metadata), { preconditions: { uid: metadata.uid ?? '' } });
      events.record(subject, 'Normal', 'SuccessfulDelete', `${what} successful`);
    } catch (error) {
      if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
      events.record(subject, 'Warning', 'FailedDelete', `${what} failed error: ${messageOf(error)}`);
      throw error;
    }
  }

  function tellEnded(statefulSet: StatefulSet, { metadata, status }: Pod): void {
    const { namespace, name } = statefulSet.metadata ?? {};
    const isFailed = status?.phase === 'Failed';
    const word = isFailed ? 'failed' : 'terminated';
    const reason = isFailed ? 'RecreatingFailedPod' : 'RecreatingTerminatedPod';
    const message = `StatefulSet ${namespace}/${name} is recreating ${word} Pod ${metadata?.name}`;
    events.record(subjectOf(statefulSetKind, statefulSet), isFailed ? 'Warning' : 'Normal', reason, message);
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
