import {
  persistentVolumeClaim as claimKind,
  type PersistentVolumeClaim,
} from '../../api/kinds/persistentVolumeClaim.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { type StatefulSet, statefulSet as statefulSetKind } from '../../api/kinds/statefulSet.ts';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { Client } from '../../client/client.ts';
import { type EventRecorder, subjectOf } from '../../client/events.ts';
import type { Informer } from '../../client/informer.ts';
import { claimsOf, hasOtherController, isLeftBy, ownersOf } from './claims.ts';
import { ordinalOf } from './pod.ts';

/** Makes the claims of a StatefulSet's pods, and keeps their owners as the set's retention policy says. */
export function claimsKeeper({
  client,
  claims,
  events,
}: {
  client: Client;
  claims: Informer<PersistentVolumeClaim>;
  events: EventRecorder;
}) {
  /** Claims are made before their pod, and those that are there are used again. */
  async function make(statefulSet: StatefulSet, ordinal: number): Promise<void> {
    const { name, namespace } = statefulSet.metadata ?? {};
    const subject = subjectOf(statefulSetKind, statefulSet);
    const failures: string[] = [];
    for (const claim of claimsOf(statefulSet, ordinal)) {
      const claimName = claim.metadata?.name ?? '';
      const present = claims.get(`${namespace}/${claimName}`);
      if (present?.metadata?.deletionTimestamp) failures.push(`pvc ${claimName} is being deleted`);
      if (present) continue;
      const [what, on] = [`create Claim ${claimName}`, `Pod ${name}-${ordinal} in StatefulSet ${name}`];
      try {
        await client.create(claimKind, claim);
        events.record(subject, 'Normal', 'SuccessfulCreate', `${what} ${on} success`);
      } catch (error) {
        if (isStatus(error, 'AlreadyExists')) continue;
        const message = messageOf(error);
        failures.push(`failed to create PVC ${claimName}: ${message}`);
        events.record(subject, 'Warning', 'FailedCreate', `${what} for ${on} failed error: ${message}`);
      }
    }
    const [first, ...more] = new Set(failures);
    if (first === undefined) return;
    throw new StatusError('Conflict', more.length > 0 ? `[${[first, ...more].join(', ')}]` : first);
  }

  /** Lets the pod or the set own the pod's claims, as the retention policy says. Answers whether something changed. */
  async function settle(
    statefulSet: StatefulSet,
    pod: Pod,
    { isCondemned }: { isCondemned: boolean },
  ): Promise<boolean> {
    let isChanged = false;
    for (const { metadata } of claimsOf(statefulSet, ordinalOf(statefulSet, pod) ?? -1)) {
      const claim = claims.get(`${metadata?.namespace}/${metadata?.name}`);
      if (!claim) continue;
      const ownerReferences = ownersOf(claim, { statefulSet, pod, isCondemned });
      if (hasOtherController(claim, statefulSet, pod) && (ownerReferences || isNew(pod))) {
        const message = `PersistentVolumeClaim ${metadata?.name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`;
        events.record(subjectOf(statefulSetKind, statefulSet), 'Warning', 'ConflictingController', message);
      }
      if (!ownerReferences) continue;
      await client.update(claimKind, { ...claim, metadata: { ...claim.metadata, ownerReferences } });
      isChanged = true;
    }
    return isChanged;
  }

  const isNew = ({ status }: Pod) => status?.phase === 'Pending';

  /** Throws while a claim is there that goes with the pod that was scaled down: a new pod gets a new one. */
  function refuseLeft(statefulSet: StatefulSet, pod: Pod, ordinal: number): void {
    for (const { metadata } of claimsOf(statefulSet, ordinal)) {
      const present = claims.get(`${metadata?.namespace}/${metadata?.name}`);
      if (present && isLeftBy(present, pod.metadata?.name ?? '')) {
        throw new StatusError('Conflict', `pvc ${metadata?.name} goes with its former pod`);
      }
    }
  }

  return { make, settle, refuseLeft };
}
