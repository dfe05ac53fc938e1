import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../api/kinds/persistentVolumeClaim.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import type { Volume } from '../api/parts/volume.ts';
import { claimNameOf } from '../api/pod-claims.ts';
import { hasPodEnded } from '../api/pod-ended.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { controllerOf, controllerReference, isControlledBy } from './owner.ts';

/** Makes the claims of pods' ephemeral volumes; they are the pods' and go with them. */
export function run(context: Context): Running {
  const { client, informers } = context;
  const [pods, claims] = [informers.of(podKind), informers.of(claimKind)];
  const events = context.recorder('ephemeral_volume');

  async function reconcile(key: string): Promise<undefined> {
    const pod = pods.get(key);
    if (!pod || pod.metadata?.deletionTimestamp || hasPodEnded(pod)) return undefined;
    for (const volume of pod.spec?.volumes ?? []) if (volume.ephemeral) await provide(pod, volume);
    return undefined;
  }

  async function provide(pod: Pod, volume: Volume): Promise<void> {
    const wanted = claimFor(pod, volume);
    const { namespace = '', name = '' } = wanted.metadata ?? {};
    const tell = (reason: string, message: string) =>
      events.record(subjectOf(podKind, pod), 'Warning', reason, message);
    try {
      const present = claims.get(`${namespace}/${name}`) ?? (await client.create(claimKind, wanted));
      if (isControlledBy(present, pod)) return;
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) {
        const message = `ephemeral volume ${volume.name}: create PVC ${name}: ${messageOf(error)}`;
        tell('FailedBinding', message);
        throw error;
      }
      if (isControlledBy(await client.get(claimKind, { namespace, name }), pod)) return;
    }
    const podName = `${namespace}/${pod.metadata?.name}`;
    const why = `PVC ${namespace}/${name} was not created for pod ${podName} (pod is not owner)`;
    tell('FailedBinding', `ephemeral volume ${volume.name}: ${why}`);
  }

  return runController(context, {
    name: 'ephemeral-volume',
    sources: [
      source(podKind, ({ type, key, object }) => {
        const hasAny = object.spec?.volumes?.some(({ ephemeral }) => ephemeral);
        return type !== 'deleted' && hasAny ? [key] : [];
      }),
      source(claimKind, ({ type, object }) => {
        const owner = controllerOf(object);
        return type === 'deleted' && owner?.kind === 'Pod'
          ? [`${object.metadata?.namespace}/${owner.name}`]
          : [];
      }),
    ],
    reconcile,
  });
}

/** https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes */
export function claimFor(pod: Pod, volume: Volume): PersistentVolumeClaim {
  const { metadata, spec } = volume.ephemeral!.volumeClaimTemplate!;
  const { labels, annotations } = metadata ?? {};
  return {
    metadata: {
      name: claimNameOf(pod, volume)!,
      namespace: pod.metadata?.namespace ?? '',
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(podKind, pod)],
    },
    spec,
  };
}
