import type { Pod } from '../api/kinds/pod.ts';
import type { PodDisruptionBudget } from '../api/kinds/podDisruptionBudget.ts';
import { labelSelector } from '../api/label-selector.ts';
import type { Cluster } from './cluster-state.ts';
import type { Refusal } from './filter.ts';
import type { Filters } from './filters.ts';
import type { NodeState, PlacedPod } from './node-state.ts';
import { Reasons } from './reasons.ts';

/** Of the nodes where preemption may help so many are tried: this share, and this number at least. */
const triedShare = 0.1;
export const triedMin = 100;

export type Preemption =
  | { node: string; victims: readonly Pod[] }
  /** `message` goes behind `preemption: `. */
  | { node?: undefined; message: string };

const hopeless = 'Preemption is not helpful for scheduling';
const nobody = 'No preemption victims found for incoming pod';

/**
 * Looks for a node where the pod fits when pods of lower priority leave it, and for the fewest and least important of
 * them. `refused` says of each node why it refused the pod.
 */
export function preempt(options: {
  filters: Filters;
  cluster: Cluster;
  refused: ReadonlyMap<NodeState, Refusal>;
  budgets: readonly PodDisruptionBudget[];
  /** Where in the list the search starts. */
  offset?: number;
}): Preemption {
  const { filters, cluster, refused, budgets, offset = 0 } = options;
  const { pod } = filters;
  const ineligible = whyIneligible(pod, cluster);
  if (ineligible) return { message: ineligible };
  const hopeful = cluster.nodes.filter((state) => refused.get(state)?.isFinal === false);
  const wanted = Math.max(triedMin, Math.ceil(cluster.nodes.length * triedShare));
  const reasons = new Reasons();
  reasons.add([hopeless], cluster.nodes.length - hopeful.length);
  const candidates: Candidate[] = [];
  for (let index = 0; index < hopeful.length && candidates.length < wanted; index++) {
    const state = hopeful[(offset + index) % hopeful.length]!;
    const found = selectVictims(filters, state, budgets);
    if ('victims' in found) candidates.push(found);
    else reasons.add(found.reasons);
  }
  const best = pickOne(candidates);
  if (!best) return { message: reasons.explain(cluster.nodes.length) };
  return { node: best.state.name, victims: best.victims.map((placed) => placed.pod) };
}

interface Candidate {
  state: NodeState;
  /** The most important first. */
  victims: PlacedPod[];
  /** Victims whose disruption budget does not allow it. */
  violations: number;
}

function whyIneligible({ spec, status }: Pod, cluster: Cluster): string | undefined {
  if (spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = status?.nominatedNodeName ? cluster.node(status.nominatedNodeName) : undefined;
  for (const { pod, priority } of nominated?.pods.values() ?? []) {
    // Victims are leaving already: more of them would die in vain.
    if (priority < (spec?.priority ?? 0) && isLeavingForAnother(pod))
      return 'not eligible due to a terminating pod on the nominated node.';
  }
  return undefined;
}

function isLeavingForAnother({ metadata, status }: Pod): boolean {
  const marked = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  return (
    metadata?.deletionTimestamp !== undefined &&
    marked?.status === 'True' &&
    marked.reason === 'PreemptionByScheduler'
  );
}

function selectVictims(
  filters: Filters,
  state: NodeState,
  budgets: readonly PodDisruptionBudget[],
): Candidate | { reasons: readonly string[] } {
  const priority = filters.pod.spec?.priority ?? 0;
  const lower = [...state.pods.values()].filter((placed) => placed.priority < priority);
  if (lower.length === 0) return { reasons: [nobody] };
  const gone = new Set<PlacedPod>();
  const take = (placed: PlacedPod) => {
    filters.take(placed, state);
    gone.add(placed);
  };
  const putBack = (placed: PlacedPod) => {
    filters.put(placed, state);
    gone.delete(placed);
  };
  try {
    for (const placed of lower) take(placed);
    const refusal = filters.objection(state);
    if (refusal) return refusal;
    lower.sort(byImportance);
    const { violating, others } = splitByBudget(lower, budgets);
    // As many as fit stay, first of those that a budget protects, the most important first.
    const staying = [...violating, ...others];
    for (const placed of staying) {
      putBack(placed);
      if (filters.objection(state)) take(placed);
    }
    const victims = lower.filter((placed) => gone.has(placed));
    return { state, victims, violations: violating.filter((placed) => gone.has(placed)).length };
  } finally {
    for (const placed of [...gone]) putBack(placed);
  }
}

/** Higher priority first; of equals the one that runs for longer. */
function byImportance(a: PlacedPod, b: PlacedPod): number {
  return b.priority - a.priority || startOf(a).localeCompare(startOf(b));
}

function startOf({ pod }: PlacedPod): string {
  return pod.status?.startTime ?? '9999';
}

function splitByBudget(pods: readonly PlacedPod[], budgets: readonly PodDisruptionBudget[]) {
  const rules = budgets.map((budget) => ({
    namespace: budget.metadata?.namespace,
    selects: labelSelector(budget.spec?.selector),
    granted: budget.status?.disruptedPods ?? {},
    allowed: budget.status?.disruptionsAllowed ?? 0,
  }));
  const violating: PlacedPod[] = [];
  const others: PlacedPod[] = [];
  for (const placed of pods) {
    const { metadata } = placed.pod;
    let isViolating = false;
    for (const rule of rules) {
      const isProtected =
        rule.namespace === metadata?.namespace &&
        Object.keys(metadata?.labels ?? {}).length > 0 &&
        rule.selects(placed.pod);
      // One that was granted its eviction is counted already.
      if (!isProtected || Object.hasOwn(rule.granted, metadata?.name ?? '')) continue;
      rule.allowed -= 1;
      if (rule.allowed < 0) isViolating = true;
    }
    (isViolating ? violating : others).push(placed);
  }
  return { violating, others };
}

/**
 * Fewest violated budgets; then the least important most important victim; then the smallest sum of priorities; then
 * the fewest victims; then the one whose most important victim started last.
 */
function pickOne(candidates: readonly Candidate[]): Candidate | undefined {
  // Priorities may be negative: shifted, so that more victims always sum up to more.
  const sum = ({ victims }: Candidate) =>
    victims.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
  const startedAt = ({ victims }: Candidate) => {
    const most = victims[0]?.priority;
    return victims
      .filter(({ priority }) => priority === most)
      .map(startOf)
      .sort()[0];
  };
  let best: Candidate | undefined;
  for (const each of candidates) if (!best || isBetter(each, best)) best = each;
  return best;

  function isBetter(a: Candidate, b: Candidate): boolean {
    if (a.violations !== b.violations) return a.violations < b.violations;
    const [mostA, mostB] = [a.victims[0]?.priority ?? 0, b.victims[0]?.priority ?? 0];
    if (mostA !== mostB) return mostA < mostB;
    if (sum(a) !== sum(b)) return sum(a) < sum(b);
    if (a.victims.length !== b.victims.length) return a.victims.length < b.victims.length;
    return (startedAt(a) ?? '') > (startedAt(b) ?? '');
  }
}
