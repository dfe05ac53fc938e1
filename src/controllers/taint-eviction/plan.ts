import { conditionOf } from '../../api/conditions.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { notReadyTaint, tolerates, unreachableTaint } from '../../scheduler/taints.ts';

export function hasNoExecute({ spec }: Node): boolean {
  return (spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute');
}

/**
 * When a pod has to leave its tainted node, in Unix ms: `-Infinity` for at once, Infinity for never. Of several
 * tolerations of a taint the first counts, as in Kubernetes. A pod that says nothing of a lost node may stay for
 * `evictAfterSeconds`; the time of one that came after the taint begins when it was bound, and with a taint that does
 * not say since when it is there, at `startMs`.
 */
export function evictionMs(
  pod: Pod,
  node: Node,
  options: { evictAfterSeconds: number; startMs: number },
): number {
  const tolerations = pod.spec?.tolerations ?? [];
  const boundMs = Date.parse(conditionOf(pod, 'PodScheduled')?.lastTransitionTime ?? '') || 0;
  const due = (node.spec?.taints ?? [])
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => {
      const sinceMs = Math.max(Date.parse(taint.timeAdded ?? '') || options.startMs, boundMs);
      const toleration = tolerations.find((each) => tolerates(each, taint));
      if (toleration) {
        const { tolerationSeconds = Number.POSITIVE_INFINITY } = toleration;
        return sinceMs + Math.max(0, tolerationSeconds) * 1000;
      }
      const isOurs = taint.key === notReadyTaint || taint.key === unreachableTaint;
      return isOurs ? sinceMs + options.evictAfterSeconds * 1000 : Number.NEGATIVE_INFINITY;
    });
  return Math.min(Number.POSITIVE_INFINITY, ...due);
}
