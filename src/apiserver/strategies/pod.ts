import type { Pod } from '../../api/kinds/pod.ts';
import { restrictPod } from '../authorization/node-restriction.ts';
import type { Strategy } from './strategy.ts';

const graceSecondsDefault = 30;

/** Said at once, since the scheduler does not look at such a pod. */
const gated: NonNullable<NonNullable<Pod['status']>['conditions']>[number] = {
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
};

/** Pods belong to their node: what a node runs, only the node's word removes. */
export const podStrategy: Strategy<Pod> = {
  answersDeleteWithObject: true,
  prepareCreate(pod) {
    pod.status = { phase: 'Pending', qosClass: qosClassOf(pod) };
    if (pod.spec?.schedulingGates?.length) pod.status.conditions = [{ ...gated }];
    if (!pod.spec) return;
    pod.spec.serviceAccountName ||= pod.spec.serviceAccount || 'default';
    pod.spec.serviceAccount = pod.spec.serviceAccountName;
  },
  admit: restrictPod,
  graceSeconds(pod, options) {
    const phase = pod.status?.phase;
    if (!pod.spec?.nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
    return options.gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? graceSecondsDefault;
  },
};

type Resources = Record<string, string> | undefined;
const counted = ['cpu', 'memory'] as const;

/**
 * Guaranteed: every container has cpu and memory limits equal to its requests. BestEffort: none asks for anything.
 * Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
 */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((container) => {
    const limits = container.resources?.limits as Resources;
    return { limits: limits ?? {}, requests: { ...limits, ...(container.resources?.requests as Resources) } };
  });
  const asks = (resources: Record<string, string>) => counted.some((name) => resources[name] !== undefined);
  if (all.every(({ requests }) => !asks(requests))) return 'BestEffort';
  const isGuaranteed = all.every(({ limits, requests }) =>
    counted.every((name) => limits[name] !== undefined && limits[name] === requests[name]),
  );
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}
