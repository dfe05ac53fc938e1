import { randomBytes } from 'node:crypto';
import { isEqualSemantically } from '../../api/equal.ts';
import { type Node, node as nodeKind } from '../../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../../api/kinds/pod.ts';
import { secret as secretKind } from '../../api/kinds/secret.ts';
import { service as serviceKind } from '../../api/kinds/service.ts';
import { type TrainingJob, trainingJob as trainingJobKind } from '../../api/kinds/trainingJob.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import { isStatus } from '../../base/errors.ts';
import { type Change, keyOf } from '../../client/cache.ts';
import { clientToken } from '../../learning/federated/tokens.ts';
import type { Context } from '../controller.ts';
import { isControlledBy, keyOfMeta } from '../owner.ts';
import { isPodActive } from '../pods.ts';
import {
  clientPodFor,
  coordinatorServiceFor,
  keyField,
  keySecretFor,
  keySecretName,
  nodeOfClient,
  nodesWithData,
  tokenSecretFor,
} from './federated.ts';
import { finishedAs } from './plan.ts';

/** How long clients have to hear that the rounds are over, and to end. */
const farewellMs = 60_000;
/** A client that has failed for good is tried again after so long. */
const failedMs = 30_000;

export interface FederatedClients {
  /** How many nodes have the data; 0 of a training that is not federated. */
  count(training: TrainingJob): number;
  /** Makes what coordinator and clients know each other by. */
  prepare(training: TrainingJob): Promise<void>;
  /** Keeps one client on each node that has the data, and none while the training is suspended. After that many ms it is to be looked at again. */
  keep(training: TrainingJob): Promise<number | undefined>;
  /** Ends what clients are left of a training that is over; those of a completed one are about to end by themselves. After that many ms it is to be looked at again. */
  end(training: TrainingJob): Promise<number | undefined>;
  /** Trainings that a change of a node concerns. */
  keysForNode(change: Change<Node>): string[];
}

/** Looks after the client pods of federated trainings. */
export function createFederatedClients({ client, clock, informers }: Context): FederatedClients {
  const trainings = informers.of(trainingJobKind);
  const [nodes, pods] = [informers.of(nodeKind), informers.of(podKind)];
  const fitting = (training: TrainingJob) =>
    training.spec.federated ? nodesWithData(training, nodes.list()) : [];
  const podsOf = (training: TrainingJob): Pod[] =>
    pods
      .byIndex('owner', training.metadata?.uid ?? '')
      .filter((pod) => nodeOfClient(pod) !== undefined && isControlledBy(pod, training));

  async function prepare(training: TrainingJob): Promise<void> {
    await createOnce(secretKind, keySecretFor(training, randomBytes(32).toString('hex')));
    await createOnce(serviceKind, coordinatorServiceFor(training));
  }

  async function keep(training: TrainingJob): Promise<number | undefined> {
    if (!training.spec.federated) return undefined;
    if (training.spec.suspend) {
      await dismiss(training);
      return undefined;
    }
    const present = podsOf(training);
    const withPod = new Set(present.map(nodeOfClient));
    const fit = fitting(training);
    for (const [at, node] of fit.entries()) {
      if (!withPod.has(node)) await start(training, { node, index: at + 1, count: fit.length });
    }
    return replaceFailed(present);
  }

  async function start(training: TrainingJob, place: { node: string; index: number; count: number }) {
    const at = { namespace: training.metadata?.namespace, name: keySecretName(training) };
    const { data } = await client.get(secretKind, at);
    const key = Buffer.from(data?.[keyField] ?? '', 'base64').toString();
    await createOnce(secretKind, tokenSecretFor(training, place.node, clientToken(key, place.node)));
    await createOnce(podKind, clientPodFor(training, place));
  }

  /** Pods restart what fails in them; one that has failed itself was evicted or refused by its node. */
  async function replaceFailed(present: Pod[]): Promise<number | undefined> {
    const failed = present.filter(
      (pod) => pod.status?.phase === 'Failed' && !pod.metadata?.deletionTimestamp,
    );
    let nextMs: number | undefined;
    for (const pod of failed) {
      const ended = pod.status?.containerStatuses?.[0]?.state?.terminated?.finishedAt;
      const sinceMs = Date.parse(ended ?? pod.metadata?.creationTimestamp ?? '') || 0;
      const leftMs = sinceMs + failedMs - clock.nowMs();
      if (leftMs <= 0) await remove(pod);
      else nextMs = Math.min(nextMs ?? leftMs, leftMs);
    }
    return nextMs;
  }

  async function end(training: TrainingJob): Promise<number | undefined> {
    const { type, lastTransitionTime = '' } = finishedAs(training) ?? {};
    const leftMs = (Date.parse(lastTransitionTime) || 0) + farewellMs - clock.nowMs();
    if (type !== 'Complete' || leftMs <= 0) {
      await dismiss(training);
      return undefined;
    }
    return podsOf(training).some(isPodActive) ? leftMs : undefined;
  }

  async function dismiss(training: TrainingJob): Promise<void> {
    for (const pod of podsOf(training).filter(isPodActive)) await remove(pod);
  }

  async function remove(pod: Pod): Promise<void> {
    const { uid = '' } = pod.metadata ?? {};
    try {
      await client.delete(podKind, keyOfMeta(pod.metadata ?? {}), { preconditions: { uid } });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }

  async function createOnce<T extends KubeObject>(kind: KindAddress<T>, object: T): Promise<void> {
    try {
      await client.create(kind, object);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  }

  function keysForNode(change: Change<Node>): string[] {
    const looked = ({ metadata, spec }: Node) => [metadata?.labels, spec?.taints];
    // Most changes of a node are heartbeats.
    if (change.type === 'modified' && isEqualSemantically(looked(change.object), looked(change.previous))) {
      return [];
    }
    const concerned = trainings.list().filter((each) => each.spec.federated && !finishedAs(each));
    return concerned.map(keyOf);
  }

  return { count: (training) => fitting(training).length, prepare, keep, end, keysForNode };
}
