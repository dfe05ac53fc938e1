import { deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import {
  podDisruptionBudget as budgetKind,
  type PodDisruptionBudget,
} from '../api/kinds/podDisruptionBudget.ts';
import { replicaSet as replicaSetKind } from '../api/kinds/replicaSet.ts';
import { replicationController as replicationControllerKind } from '../api/kinds/replicationController.ts';
import { statefulSet as statefulSetKind } from '../api/kinds/statefulSet.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { KubeObject } from '../api/object.ts';
import type { LabelSelector } from '../api/parts/meta.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Change, keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { countsOwners, plan } from './disruption/plan.ts';
import { controllerOf } from './owner.ts';
import { writeStatus } from './write-status.ts';

/** Keeps each PodDisruptionBudget's status: from it the API server decides whether a pod may be evicted. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const [budgets, pods] = [informers.of(budgetKind), informers.of(podKind)];
  const [deployments, replicaSets] = [informers.of(deploymentKind), informers.of(replicaSetKind)];
  const statefulSets = informers.of(statefulSetKind);
  const replicationControllers = informers.of(replicationControllerKind);
  const events = context.recorder('controllermanager');

  const budgetsFor = (pod: Pod) =>
    budgets
      .byIndex('namespace', pod.metadata?.namespace ?? '')
      .filter(({ spec }) => labelSelector(spec?.selector)(pod));
  const keysForPod = (change: Change<Pod>): string[] => {
    const current = budgetsFor(change.object);
    if (current.length > 1 && change.type !== 'deleted') tellMany(change.object, current[0]!);
    const found = [...current, ...(change.type === 'modified' ? budgetsFor(change.previous) : [])];
    return [...new Set(found.map(keyOf))];
  };
  /** A new size of an owner is a new size of the budget. */
  const keysForOwner = <T extends KubeObject & { spec?: { replicas?: number } }>(
    change: Change<T>,
  ): string[] => {
    const isSame =
      change.type === 'modified' && change.object.spec?.replicas === change.previous.spec?.replicas;
    return isSame ? [] : budgets.byIndex('namespace', change.object.metadata?.namespace ?? '').map(keyOf);
  };

  async function reconcile(key: string): Promise<number | undefined> {
    const budget = budgets.get(key);
    if (!budget || budget.metadata?.deletionTimestamp) return undefined;
    const isSelected = labelSelector(budget.spec?.selector);
    const selected = pods.byIndex('namespace', budget.metadata?.namespace ?? '').filter(isSelected);
    if (selected.length === 0) tell(budget, 'Normal', 'NoPods', 'No matching pods found');
    const scale = scaleOf(selected);
    const { status, lookAgainInMs } = plan({ budget, pods: selected, scale, nowMs: clock.nowMs() });
    const failure = status.conditions?.find(({ reason }) => reason === 'SyncFailed')?.message;
    if (failure !== undefined) {
      const message = `Failed to calculate the number of expected pods: ${failure}`;
      tell(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
    }
    const isUnmanaged = countsOwners(budget) && selected.some((pod) => !controllerOf(pod));
    if (failure === undefined && isUnmanaged) tellUnmanaged(budget);
    await writeStatus(client, budgetKind, budget, status);
    return lookAgainInMs;
  }

  function tell(
    budget: PodDisruptionBudget,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    events.record(subjectOf(budgetKind, budget), type, reason, message);
  }

  function tellUnmanaged(budget: PodDisruptionBudget): void {
    const message =
      `Pods selected by this PodDisruptionBudget (selector: ${goText(budget.spec?.selector)}) were found ` +
      'to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in ' +
      'undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';
    tell(budget, 'Warning', 'UnmanagedPods', message);
  }

  function tellMany(pod: Pod, { metadata }: PodDisruptionBudget): void {
    const { namespace, name } = pod.metadata ?? {};
    const message = `Pod "${namespace}"/"${name}" matches multiple PodDisruptionBudgets.  Chose "${metadata?.name}" arbitrarily.`;
    events.record(subjectOf(podKind, pod), 'Warning', 'MultiplePodDisruptionBudgets', message);
  }

  /** How many pods the owners want, each owner counted once; pods that nobody manages do not count. */
  function scaleOf(selected: readonly Pod[]): number | { error: string } {
    const sizes = new Map<string, number>();
    for (const pod of selected) {
      const owner = controllerOf(pod);
      if (!owner) continue;
      const key = `${pod.metadata?.namespace}/${owner.name}`;
      if (owner.kind === 'ReplicaSet') {
        const replicaSet = replicaSets.get(key);
        const above = replicaSet && controllerOf(replicaSet);
        const deployment =
          above?.kind === 'Deployment'
            ? deployments.get(`${pod.metadata?.namespace}/${above.name}`)
            : undefined;
        if (deployment) sizes.set(deployment.metadata?.uid ?? '', deployment.spec?.replicas ?? 1);
        else if (replicaSet) sizes.set(owner.uid, replicaSet.spec?.replicas ?? 1);
      } else if (owner.kind === 'ReplicationController') {
        const found = replicationControllers.get(key);
        if (found) sizes.set(owner.uid, found.spec?.replicas ?? 1);
      } else if (owner.kind === 'StatefulSet') {
        const statefulSet = statefulSets.get(key);
        if (statefulSet) sizes.set(owner.uid, statefulSet.spec?.replicas ?? 1);
      } else {
        const plural = `${owner.kind.toLowerCase()}s.${owner.apiVersion.split('/')[0]}`;
        return { error: `${plural} does not implement the scale subresource` };
      }
    }
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  return runController(context, {
    name: 'disruption',
    sources: [
      source(budgetKind, ({ type, key }) => (type === 'deleted' ? [] : [key])),
      source(podKind, keysForPod),
      source(deploymentKind, keysForOwner),
      source(replicaSetKind, keysForOwner),
      source(statefulSetKind, keysForOwner),
      source(replicationControllerKind, keysForOwner),
    ],
    reconcile,
  });
}

/** The selector as Kubernetes' own messages print it. */
function goText(selector: LabelSelector | undefined): string {
  if (!selector) return 'nil';
  const labels = Object.entries(selector.matchLabels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`);
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  );
  return `&LabelSelector{MatchLabels:map[string]string{${labels.join('')}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
}
