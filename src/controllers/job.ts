import { type Job, job as jobKind } from '../api/kinds/job.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { labelSelector } from '../api/label-selector.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { Expectations, expectationMs } from './expectations.ts';
import { finishedAs, plan } from './job/plan.ts';
import { isTracked, podOf, trackingFinalizer } from './job/pod.ts';
import { claim, controllerOf, keyOfMeta } from './owner.ts';
import { createPods, deletePods } from './pod-changes.ts';
import { writeStatus } from './write-status.ts';

const own = 'kubernetes.io/job-controller';
/** Keys of pods whose Job is gone or has let go of them: nobody counts them any more. */
const strayPrefix = 'stray ';

/** Runs Jobs: pods until enough have succeeded or too many have failed. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const [jobs, pods] = [informers.of(jobKind), informers.of(podKind)];
  const expectations = new Expectations(clock);
  const events = context.recorder('job-controller');

  const ownerKey = (pod: Pod): string | undefined => {
    const owner = controllerOf(pod);
    return owner?.kind === 'Job' ? `${pod.metadata?.namespace}/${owner.name}` : undefined;
  };
  const keysForPod = (change: Change<Pod>): string[] => {
    const pod = change.object;
    const key = ownerKey(pod);
    if (change.type === 'added' && key) expectations.creationSeen(key);
    const isGoing = change.type === 'deleted' || pod.metadata?.deletionTimestamp;
    if (isGoing && key) expectations.deletionSeen(key, pod.metadata?.uid ?? '');
    const keys = key ? [key] : [];
    const before = change.type === 'modified' ? ownerKey(change.previous) : undefined;
    if (before && before !== key) keys.push(before);
    if (change.type === 'deleted') return keys;
    if (isStray(pod)) keys.push(strayPrefix + keyOf(pod));
    if (controllerOf(pod)) return keys;
    const adopters = jobs.byIndex('namespace', pod.metadata?.namespace ?? '');
    return [...keys, ...adopters.filter((job) => labelSelector(job.spec?.selector)(pod)).map(keyOf)];
  };
  const isStray = (pod: Pod): boolean => {
    const owner = controllerOf(pod);
    if (!isTracked(pod)) return false;
    return owner?.kind !== 'Job' || jobs.get(ownerKey(pod)!)?.metadata?.uid !== owner.uid;
  };
  const keysForJob = ({ type, key, object }: Change<Job>): string[] => {
    if (type !== 'deleted') return [key];
    const left = pods.byIndex('owner', object.metadata?.uid ?? '').filter(isTracked);
    return [key, ...left.map((pod) => strayPrefix + keyOf(pod))];
  };

  async function reconcile(key: string): Promise<number | undefined> {
    if (key.startsWith(strayPrefix)) return letGo(key.slice(strayPrefix.length));
    const job = jobs.get(key);
    if (!job) {
      expectations.forget(key);
      return undefined;
    }
    if (job.spec?.managedBy && job.spec.managedBy !== own) return undefined;
    if (!expectations.areMet(key)) return expectationMs;
    const { uid = '', namespace = '' } = job.metadata ?? {};
    const owned = pods.byIndex('owner', uid);
    const claimed = finishedAs(job)
      ? owned
      : await claim({
          client,
          owner: job,
          ownerKind: jobKind,
          kind: podKind,
          candidates: [...owned, ...pods.byIndex('orphan', namespace)],
          isSelected: labelSelector(job.spec?.selector),
          finalizers: [trackingFinalizer],
        });
    const planned = plan({ job, pods: claimed, nowMs: clock.nowMs() });
    const changes = { client, events, expectations, key, subject: subjectOf(jobKind, job) };
    // A pod that is only too many must not count as failed once it is gone.
    if (planned.isForgiven) for (const pod of planned.remove) await release(pod);
    const removalError = await deletePods(changes, planned.remove);
    const wanted = planned.create.map((pod) => podOf(job, pod));
    const { created, error = removalError } = await createPods(changes, wanted);
    const { active: _, ...status } = planned.status;
    const active = (planned.status.active ?? 0) - (wanted.length - created);
    await writeStatus(client, jobKind, job, { ...status, ...(active > 0 && { active }) });
    for (const { type, reason, message } of planned.events)
      events.record(changes.subject, type, reason, message);
    for (const pod of planned.release) await release(pod);
    if (error) throw error;
    return planned.lookAgainInMs;
  }

  /** A pod that no Job counts must not be kept by the finalizer. */
  async function letGo(key: string): Promise<undefined> {
    const pod = pods.get(key);
    if (!pod || !isStray(pod)) return undefined;
    const owner = controllerOf(pod);
    if (owner?.kind === 'Job') {
      const at = { namespace: pod.metadata?.namespace, name: owner.name };
      const job = await client.get(jobKind, at).catch((error: unknown) => {
        if (!isStatus(error, 'NotFound')) throw error;
        return undefined;
      });
      // Our cache only does not have the Job yet.
      if (job?.metadata?.uid === owner.uid) return undefined;
    }
    await release(pod);
    return undefined;
  }

  async function release(pod: Pod): Promise<void> {
    if (!isTracked(pod)) return;
    const { uid } = pod.metadata ?? {};
    const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } };
    try {
      await client.patch(podKind, keyOfMeta(pod.metadata ?? {}), { type: 'strategic', body });
    } catch (error) {
      // Gone or made anew meanwhile.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  return runController(context, {
    name: 'job',
    sources: [source(jobKind, keysForJob), source(podKind, keysForPod)],
    reconcile,
  });
}
