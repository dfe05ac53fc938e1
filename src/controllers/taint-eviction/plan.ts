import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { notReadyTaint, tolerates, unreachableTaint } from '../../scheduler/taints.ts';

export function hasNoExecute({ spec }: Node): boolean {
  return (spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute');
}

/**
 * When a pod has to leave its tainted node, in Unix ms: `-Infinity` for at once, Infinity for never.
 * A pod that says nothing of a lost node may stay for `evictAfterSeconds`.
 */
export function evictionMs(
  pod: Pod,
  node: Node,
  options: { evictAfterSeconds: number; nowMs: number },
): number {
  const tolerations = pod.spec?.tolerations ?? [];
  const due = (node.spec?.taints ?? [])
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => {
      const sinceMs = Date.parse(taint.timeAdded ?? '') || options.nowMs;
      const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
      if (matching.length > 0) {
        const limits = matching.map(({ tolerationSeconds }) => tolerationSeconds ?? Number.POSITIVE_INFINITY);
        return sinceMs + Math.max(0, Math.min(...limits)) * 1000;
      }
      const isOurs = taint.key === notReadyTaint || taint.key === unreachableTaint;
      return isOurs ? sinceMs + options.evictAfterSeconds * 1000 : Number.NEGATIVE_INFINITY;
    });
  return Math.min(Number.POSITIVE_INFINITY, ...due);
}
