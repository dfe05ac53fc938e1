import type { Job } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { PodFailurePolicyRule } from '../../api/parts/job.ts';

export interface FailureMatch {
  action: PodFailurePolicyRule['action'];
  /** Why, in kube-controller-manager's words. */
  message: string;
}

/** What a failed pod means by the Job's pod failure policy; undefined when no rule speaks of it. */
export function matchFailurePolicy(job: Job, pod: Pod): FailureMatch | undefined {
  for (const [index, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    const why = rule.onExitCodes
      ? exitCodeMatch(pod, rule.onExitCodes)
      : conditionMatch(pod, rule.onPodConditions);
    if (why) return { action: rule.action, message: `${why} matching ${rule.action} rule at index ${index}` };
  }
  return undefined;
}

function exitCodeMatch(
  { metadata, status }: Pod,
  { containerName, operator, values }: NonNullable<PodFailurePolicyRule['onExitCodes']>,
): string | undefined {
  const all = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  for (const { name, state } of all) {
    const exitCode = state?.terminated?.exitCode ?? 0;
    if (exitCode === 0 || (containerName !== undefined && containerName !== name)) continue;
    if (values.includes(exitCode) !== (operator === 'In')) continue;
    return `Container ${name} for pod ${metadata?.namespace}/${metadata?.name} failed with exit code ${exitCode}`;
  }
  return undefined;
}

function conditionMatch(
  { metadata, status }: Pod,
  patterns: PodFailurePolicyRule['onPodConditions'] = [],
): string | undefined {
  const found = patterns.find((pattern) =>
    status?.conditions?.some(
      (condition) => condition.type === pattern.type && condition.status === (pattern.status ?? 'True'),
    ),
  );
  return found && `Pod ${metadata?.namespace}/${metadata?.name} has condition ${found.type}`;
}
