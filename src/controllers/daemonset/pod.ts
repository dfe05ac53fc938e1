import { type DaemonSet, daemonSet as daemonSetKind } from '../../api/kinds/daemonSet.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Affinity, Toleration } from '../../api/parts/affinity.ts';
import { matchesNodeAffinity } from '../../scheduler/node-affinity.ts';
import { findUntolerated } from '../../scheduler/taints.ts';
import { controllerReference } from '../owner.ts';
import { revisionHashLabel } from '../revisions.ts';

/** A pod for one node. The scheduler binds it; the affinity leaves it no other choice. */
export function podOf(daemonSet: DaemonSet, nodeName: string, hash: string): Pod {
  const { template } = daemonSet.spec!;
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const { name = '', namespace = '' } = daemonSet.metadata ?? {};
  const spec = template.spec!;
  return {
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, [revisionHashLabel]: hash },
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerReference(daemonSetKind, daemonSet)],
    },
    spec: {
      ...spec,
      affinity: affinityTo(nodeName, spec.affinity),
      tolerations: tolerationsOf(daemonSet),
    },
  };
}

function affinityTo(nodeName: string, affinity: Affinity | undefined): Affinity {
  const matchFields = [{ key: 'metadata.name', operator: 'In' as const, values: [nodeName] }];
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] },
    },
  };
}

/** https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations */
const always: readonly [string, 'NoExecute' | 'NoSchedule'][] = [
  ['not-ready', 'NoExecute'],
  ['unreachable', 'NoExecute'],
  ['disk-pressure', 'NoSchedule'],
  ['memory-pressure', 'NoSchedule'],
  ['pid-pressure', 'NoSchedule'],
  ['unschedulable', 'NoSchedule'],
];

function tolerationsOf({ spec }: DaemonSet): Toleration[] {
  const { tolerations = [], hostNetwork } = spec!.template.spec ?? {};
  const added = hostNetwork ? [...always, ['network-unavailable', 'NoSchedule'] as const] : always;
  const keys = added.map(
    ([name, effect]): Toleration => ({ key: `node.kubernetes.io/${name}`, operator: 'Exists', effect }),
  );
  const isGiven = (one: Toleration) =>
    tolerations.some(
      ({ key, effect, operator }) => key === one.key && effect === one.effect && operator === 'Exists',
    );
  return [...tolerations, ...keys.filter((each) => !isGiven(each))];
}

/** The node that the pod is on or is meant for. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const terms =
    spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms?.[0]?.matchFields?.find(({ key }) => key === 'metadata.name')?.values?.[0];
}

/** Whether a node should get a pod, and whether one that is there may stay. */
export function eligibility(daemonSet: DaemonSet, node: Node): { shouldRun: boolean; mayStay: boolean } {
  const template = daemonSet.spec!.template.spec!;
  const tolerations = tolerationsOf(daemonSet);
  const isWanted = !template.nodeName || template.nodeName === node.metadata?.name;
  if (!isWanted || !matchesNodeAffinity({ spec: template }, node))
    return { shouldRun: false, mayStay: false };
  const taints = node.spec?.taints ?? [];
  return {
    shouldRun: !findUntolerated(taints, tolerations, ['NoSchedule', 'NoExecute']),
    mayStay: !findUntolerated(taints, tolerations, ['NoExecute']),
  };
}
