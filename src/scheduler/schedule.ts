import type { Pod } from '../api/kinds/pod.ts';
import type { NodeState, Snapshot } from './cluster-state.ts';
import { type Filter, filtersFor } from './filters.ts';
import { scoreNodes } from './scores.ts';

export type Decision =
  | { node: string }
  /** `message` is kube-scheduler's, e.g. `0/3 nodes are available: 2 Insufficient cpu, 1 Too many pods.` */
  | { node?: undefined; message: string };

/** Chooses the node for a pod: those that can take it, of these the best. Of equals, the one with fewer pods. */
export function schedule(snapshot: Snapshot, pod: Pod): Decision {
  if (snapshot.nodes.length === 0) return { message: 'no nodes available to schedule pods' };
  const filters = filtersFor(pod, snapshot);
  const nodesByReason = new Map<string, number>();
  const candidates = snapshot.nodes.filter((state) => {
    const reasons = firstObjection(filters, state);
    for (const reason of reasons) nodesByReason.set(reason, (nodesByReason.get(reason) ?? 0) + 1);
    return reasons.length === 0;
  });
  if (candidates.length === 0) return { message: explain(snapshot.nodes.length, nodesByReason) };
  return { node: best(pod, candidates, snapshot).node.metadata?.name ?? '' };
}

function firstObjection(filters: readonly Filter[], state: NodeState): string[] {
  for (const filter of filters) {
    const reasons = filter(state);
    if (reasons.length > 0) return reasons;
  }
  return [];
}

function best(pod: Pod, candidates: readonly NodeState[], snapshot: Snapshot): NodeState {
  if (candidates.length === 1) return candidates[0]!;
  const scores = scoreNodes(pod, candidates, snapshot);
  const ranked = candidates.map((state, index) => ({ state, score: scores[index]! }));
  ranked.sort(
    (a, b) =>
      b.score - a.score ||
      a.state.pods.size - b.state.pods.size ||
      (a.state.node.metadata?.name ?? '').localeCompare(b.state.node.metadata?.name ?? ''),
  );
  return ranked[0]!.state;
}

function explain(nodes: number, nodesByReason: ReadonlyMap<string, number>): string {
  const reasons = [...nodesByReason].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodes} nodes are available: ${reasons.join(', ')}.`;
}
