import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder, EventSubject } from '../client/events.ts';
import type { Expectations } from './expectations.ts';
import { keyOfMeta } from './owner.ts';

/** Who changes pods, and on whose behalf. */
export interface PodChanges {
  client: Client;
  events: EventRecorder;
  expectations: Expectations;
  /** The owner's key, under which the changes are expected. */
  key: string;
  subject: EventSubject;
}

/** What is asked in one turn of the event loop holds up everybody else: 500 at once did for 70 to 130 ms. */
const batchMax = 32;

/** In batches of 1, 2, 4, …: when creating fails for all alike, few requests are wasted. Tells the first error. */
export async function createPods(
  { client, events, expectations, key, subject }: PodChanges,
  pods: readonly Pod[],
): Promise<{ created: number; error?: unknown }> {
  if (pods.length > 0) expectations.expectCreations(key, pods.length);
  let [created, tried] = [0, 0];
  for (let batch = 1; tried < pods.length; batch = Math.min(2 * batch, batchMax)) {
    const results = await Promise.allSettled(
      pods.slice(tried, tried + batch).map((pod) => client.create(podKind, pod)),
    );
    tried += results.length;
    for (const result of results) {
      if (result.status === 'fulfilled') {
        created++;
        events.record(subject, 'Normal', 'SuccessfulCreate', `Created pod: ${result.value.metadata?.name}`);
      } else expectations.creationSeen(key);
    }
    const failed = results.filter((result) => result.status === 'rejected');
    const [first] = failed;
    if (!first) continue;
    for (; tried < pods.length; tried++) expectations.creationSeen(key);
    // Nothing can be made in a namespace that goes, and nobody has to be told.
    if (isNamespaceTerminating(first.reason)) return { created };
    for (const { reason } of failed) {
      events.record(subject, 'Warning', 'FailedCreate', `Error creating: ${messageOf(reason)}`);
    }
    return { created, error: first.reason };
  }
  return { created };
}

export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof StatusError &&
    (error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false)
  );
}

/** Answers the first error. A pod that is gone already is deleted well. */
export async function deletePods(
  { client, events, expectations, key, subject }: PodChanges,
  pods: readonly Pod[],
): Promise<unknown> {
  if (pods.length > 0) {
    expectations.expectDeletions(
      key,
      pods.map(({ metadata }) => metadata?.uid ?? ''),
    );
  }
  let failure: unknown;
  const deleteOne = async ({ metadata = {} }: Pod) => {
    const { uid = '' } = metadata;
    try {
      await client.delete(podKind, keyOfMeta(metadata), { preconditions: { uid } });
      events.record(subject, 'Normal', 'SuccessfulDelete', `Deleted pod: ${metadata.name}`);
    } catch (error) {
      expectations.deletionSeen(key, uid);
      if (isStatus(error, 'NotFound')) return;
      events.record(subject, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
      failure ??= error;
    }
  };
  for (let from = 0; from < pods.length; from += batchMax)
    await Promise.all(pods.slice(from, from + batchMax).map(deleteOne));
  return failure;
}
