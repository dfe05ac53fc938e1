import { isEqualSemantically } from '../api/equal.ts';
import {
  type ControllerRevision,
  controllerRevision as revisionKind,
} from '../api/kinds/controllerRevision.ts';
import { type DaemonSet, daemonSet as daemonSetKind } from '../api/kinds/daemonSet.ts';
import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { isReady } from '../scheduler/taints.ts';
import { type Context, runController, source } from './controller.ts';
import { plan } from './daemonset/plan.ts';
import { nodeOf, podOf } from './daemonset/pod.ts';
import { Expectations, expectationMs } from './expectations.ts';
import { claim, controllerOf } from './owner.ts';
import { createPods, deletePods } from './pod-changes.ts';
import {
  keepRevision,
  ownedRevisions,
  RevisionCollision,
  removeRevisions,
  revisionHashLabel,
  surplusRevisions,
} from './revisions.ts';
import { writeStatus } from './write-status.ts';

/** A pod that keeps failing on a node is replaced after so long, and then twice as long each time. */
const failureInitialMs = 1000;
const failureMaxMs = 15 * 60_000;
/** Nodes whose failures are remembered; the one longest ago is forgotten. */
const failuresMax = 10_000;

/** Keeps one pod of each DaemonSet on each node that can take it. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const daemonSets = informers.of(daemonSetKind);
  const [nodes, pods, revisions] = [
    informers.of(nodeKind),
    informers.of(podKind),
    informers.of(revisionKind),
  ];
  const expectations = new Expectations(clock);
  const events = context.recorder('daemonset-controller');
  const failures = new Map<string, { count: number; atMs: number }>();

  const ownerKey = (object: Pod | ControllerRevision): string | undefined => {
    const owner = controllerOf(object);
    return owner?.kind === 'DaemonSet' ? `${object.metadata?.namespace}/${owner.name}` : undefined;
  };
  const keysForPod = (change: Change<Pod>): string[] => {
    const pod = change.object;
    const key = ownerKey(pod);
    if (change.type === 'added' && key) expectations.creationSeen(key);
    const isGoing = change.type === 'deleted' || pod.metadata?.deletionTimestamp;
    if (isGoing && key) expectations.deletionSeen(key, pod.metadata?.uid ?? '');
    const before = change.type === 'modified' ? ownerKey(change.previous) : undefined;
    const keys = [key, before].filter((each) => each !== undefined);
    if (keys.length > 0 || change.type === 'deleted' || controllerOf(pod)) return [...new Set(keys)];
    const adopters = daemonSets.byIndex('namespace', pod.metadata?.namespace ?? '');
    return adopters.filter((each) => labelSelector(each.spec?.selector)(pod)).map(keyOf);
  };
  const keysForNode = (change: Change<Node>): string[] => {
    if (change.type === 'modified' && !isNews(change.object, change.previous)) return [];
    return daemonSets.list().map(keyOf);
  };

  async function reconcile(key: string): Promise<number | undefined> {
    const daemonSet = daemonSets.get(key);
    if (!daemonSet) {
      expectations.forget(key);
      return undefined;
    }
    if (!expectations.areMet(key)) return expectationMs;
    const { uid = '', namespace = '' } = daemonSet.metadata ?? {};
    const owned = await claim({
      client,
      owner: daemonSet,
      ownerKind: daemonSetKind,
      kind: podKind,
      candidates: [...pods.byIndex('owner', uid), ...pods.byIndex('orphan', namespace)],
      isSelected: labelSelector(daemonSet.spec?.selector),
    });
    if (daemonSet.metadata?.deletionTimestamp) return undefined;
    const isSelected = labelSelector(daemonSet.spec?.selector);
    const history = await ownedRevisions(client, daemonSet, daemonSetKind, { revisions, isSelected });
    const hash = await currentHash(daemonSet, history);
    const nowMs = clock.nowMs();
    const planned = plan({ daemonSet, nodes: nodes.list(), pods: owned, hash, nowMs });
    const changes = { client, events, expectations, key, subject: subjectOf(daemonSetKind, daemonSet) };
    const { due, waitMs } = pace(daemonSet, planned.ended, nowMs);
    for (const pod of due) tellEnded(daemonSet, pod);
    const made = planned.create.map((node) => podOf(daemonSet, node, hash));
    const { error: createError } = await createPods(changes, made);
    const error = createError ?? (await deletePods(changes, [...planned.remove, ...due]));
    await writeStatus(client, daemonSetKind, daemonSet, planned.status);
    await forgetOld(daemonSet, history, owned, hash);
    if (error) throw error;
    const { minReadySeconds = 0 } = daemonSet.spec ?? {};
    const isWaiting =
      minReadySeconds > 0 && planned.status.numberReady > (planned.status.numberAvailable ?? 0);
    return isWaiting ? minReadySeconds * 1000 : waitMs;
  }

  async function currentHash(daemonSet: DaemonSet, history: readonly ControllerRevision[]): Promise<string> {
    try {
      const current = await keepRevision(client, daemonSet, daemonSetKind, history);
      return current.metadata?.labels?.[revisionHashLabel] ?? '';
    } catch (error) {
      if (error instanceof RevisionCollision) {
        const collisionCount = (daemonSet.status?.collisionCount ?? 0) + 1;
        const counts = {
          currentNumberScheduled: 0,
          desiredNumberScheduled: 0,
          numberMisscheduled: 0,
          numberReady: 0,
        };
        await writeStatus(client, daemonSetKind, daemonSet, {
          ...counts,
          ...daemonSet.status,
          collisionCount,
        });
      }
      throw error;
    }
  }

  function forgetOld(
    daemonSet: DaemonSet,
    history: readonly ControllerRevision[],
    owned: readonly Pod[],
    hash: string,
  ) {
    const live = new Set([hash, ...owned.map(({ metadata }) => metadata?.labels?.[revisionHashLabel])]);
    const isLive = ({ metadata }: ControllerRevision) =>
      live.has(metadata?.labels?.[revisionHashLabel] ?? '');
    return removeRevisions(client, surplusRevisions(daemonSet, history, isLive, { countsLive: true }));
  }

  /** Those ended pods that may go now, which after a failure takes a while, and how long the next one waits. */
  function pace(daemonSet: DaemonSet, ended: readonly Pod[], nowMs: number) {
    const due: Pod[] = [];
    let waitMs: number | undefined;
    for (const pod of ended) {
      if (pod.status?.phase !== 'Failed') {
        due.push(pod);
        continue;
      }
      const { metadata, status } = daemonSet;
      const place = `${metadata?.uid}/${status?.observedGeneration ?? 0}/${nodeOf(pod)}`;
      const { count, atMs } = failures.get(place) ?? { count: 0, atMs: 0 };
      const backoffMs =
        count === 0 ? 0 : Math.min(failureMaxMs, failureInitialMs * 2 ** Math.min(count - 1, 20));
      // Long after the last failure the next one is a first again.
      const isFresh = nowMs - atMs > 2 * failureMaxMs;
      const leftMs = isFresh ? 0 : atMs + backoffMs - nowMs;
      if (leftMs > 0) {
        waitMs = Math.min(waitMs ?? leftMs, leftMs);
        continue;
      }
      due.push(pod);
      failures.delete(place);
      failures.set(place, { count: isFresh ? 1 : count + 1, atMs: nowMs });
      const [oldest] = failures.keys();
      if (failures.size > failuresMax) failures.delete(oldest!);
    }
    return { due, waitMs };
  }

  function tellEnded(daemonSet: DaemonSet, pod: Pod): void {
    const { namespace, name } = pod.metadata ?? {};
    const subject = subjectOf(daemonSetKind, daemonSet);
    const on = `daemon pod ${namespace}/${name} on node ${nodeOf(pod)}`;
    if (pod.status?.phase === 'Failed') {
      events.record(subject, 'Warning', 'FailedDaemonPod', `Found failed ${on}, will try to kill it`);
    } else {
      events.record(subject, 'Normal', 'SucceededDaemonPod', `Found succeeded ${on}, will try to delete it`);
    }
  }

  return runController(context, {
    name: 'daemonset',
    sources: [
      source(daemonSetKind, ({ key }) => [key]),
      source(podKind, keysForPod),
      source(nodeKind, keysForNode),
      source(revisionKind, ({ object }) => [ownerKey(object)].filter((key) => key !== undefined)),
    ],
    reconcile,
  });
}

/** Whether a node changed in what decides about pods: a heartbeat does not count. */
function isNews(node: Node, previous: Node): boolean {
  const essence = (each: Node) => [each.metadata?.labels, each.spec?.taints, isReady(each)];
  return !isEqualSemantically(essence(node), essence(previous));
}
