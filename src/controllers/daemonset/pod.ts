import { type DaemonSet, daemonSet as daemonSetKind } from '../../api/kinds/daemonSet.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { Affinity, Toleration } from '../../api/parts/affinity.ts';
import { matchesNodeAffinity } from '../../scheduler/node-affinity.ts';
import { findUntolerated, isReady } from '../../scheduler/taints.ts';
import { controllerReference } from '../owner.ts';
import { revisionHashLabel } from '../revisions.ts';

const templateGenerationAnnotation = 'deprecated.daemonset.template.generation';
const templateGenerationLabel = 'pod-template-generation';

/** A pod for one node. The scheduler binds it; the affinity leaves it no other choice. */
export function podOf(daemonSet: DaemonSet, nodeName: string, hash: string): Pod {
  const { template } = daemonSet.spec!;
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const { name = '', namespace = '', annotations: own } = daemonSet.metadata ?? {};
  const generation = own?.[templateGenerationAnnotation];
  const spec = template.spec!;
  return {
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: {
        ...labels,
        ...(generation && { [templateGenerationLabel]: generation }),
        [revisionHashLabel]: hash,
      },
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
  const isSame = (a: Toleration, b: Toleration) =>
    a.key === b.key && a.effect === b.effect && a.operator === b.operator && (a.value ?? '') === '';
  // One that the template gives for a limited time holds without end.
  const own = tolerations.map((given) => keys.find((key) => isSame(given, key)) ?? given);
  return [...own, ...keys.filter((key) => !own.includes(key))];
}

/** Whether the pod is of the current template, by its revision's hash or by the older count of templates. */
export function isCurrent({ metadata }: DaemonSet, { metadata: pod }: Pod, hash: string): boolean {
  const generation = metadata?.annotations?.[templateGenerationAnnotation];
  const isOfGeneration = generation !== undefined && pod?.labels?.[templateGenerationLabel] === generation;
  return isOfGeneration || (hash !== '' && pod?.labels?.[revisionHashLabel] === hash);
}

/** The node that the pod is on or is meant for. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const terms =
    spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms?.[0]?.matchFields?.find(({ key }) => key === 'metadata.name')?.values?.[0];
}

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;

/** Whether a node should get a pod, and whether one that is there may stay. */
export function eligibility(daemonSet: DaemonSet, node: Node): { shouldRun: boolean; mayStay: boolean } {
  const template = daemonSet.spec!.template.spec!;
  const tolerations = tolerationsOf(daemonSet);
  const isWanted = !template.nodeName || template.nodeName === node.metadata?.name;
  if (!isWanted || !matchesNodeAffinity({ spec: template }, node))
    return { shouldRun: false, mayStay: false };
  // A node that has just come has no taint yet that says so.
  const taints = [...(node.spec?.taints ?? []), ...(isReady(node) ? [] : [notReady])];
  return {
    shouldRun: !findUntolerated(taints, tolerations, ['NoSchedule', 'NoExecute']),
    mayStay: !findUntolerated(taints, tolerations, ['NoExecute']),
  };
}
