import type { Pod } from '../api/kinds/pod.ts';
import type { PodDisruptionBudget } from '../api/kinds/podDisruptionBudget.ts';
import type { Cluster } from './cluster-state.ts';
import type { Filter, Plugin, Refusal } from './filter.ts';
import { Filters } from './filters.ts';
import type { NodeState } from './node-state.ts';
import { preempt } from './preemption.ts';
import { Reasons } from './reasons.ts';
import { scoreNodes } from './scores.ts';

export type Decision = Placement | Failure;

export interface Placement {
  node: string;
}

export interface Failure {
  node?: undefined;
  /** kube-scheduler's, e.g. `0/3 nodes are available: 2 Insufficient cpu, 1 Too many pods. preemption: …` */
  message: string;
  /** Which rules refused: only what concerns them can help. */
  plugins: ReadonlySet<Plugin>;
  /** Whose deletion makes room on which node. */
  preemption?: { node: string; victims: readonly Pod[] } | undefined;
}

export interface ScheduleOptions {
  budgets?: readonly PodDisruptionBudget[];
  /** Rules about what else the cluster holds, prepared for the pod; a text refuses the pod everywhere. */
  prepared?: { filters: readonly Filter[] } | { refusal: string; plugin: Plugin };
  /** Where in the list of nodes the search begins, so that not always the same ones are looked at. */
  start?: number;
  /** Told how many nodes were looked at. */
  onSearched?: (nodes: number) => void;
}

/** Beyond this many feasible nodes, a share of a big cluster is enough to choose from. */
export const feasibleMin = 100;
const shareMinPercent = 5;

/** Chooses the node for a pod: of those that can take it the best. Of equals, the one with fewer pods. */
export function schedule(cluster: Cluster, pod: Pod, options: ScheduleOptions = {}): Decision {
  const { nodes } = cluster;
  const { prepared = { filters: [] } } = options;
  if (nodes.length === 0) return { message: 'no nodes available to schedule pods', plugins: new Set() };
  if ('refusal' in prepared) {
    const hopeless = new Reasons();
    hopeless.add(['Preemption is not helpful for scheduling'], nodes.length);
    const message = `0/${nodes.length} nodes are available: ${prepared.refusal}. preemption: ${hopeless.explain(nodes.length)}`;
    return { message, plugins: new Set([prepared.plugin]) };
  }
  const filters = new Filters(pod, cluster, prepared.filters);
  const nominated = nominatedNode(pod, cluster);
  if (nominated && !filters.objection(nominated)) return { node: nominated.name };
  const { feasible, refused, searched } = search(filters, nodes, options.start ?? 0);
  options.onSearched?.(searched);
  if (feasible.length > 0) return { node: best(pod, feasible, cluster).name };
  return fail(filters, cluster, refused, options);
}

/** How many feasible nodes are enough: all of a small cluster, down to 5 % of a big one (percentageOfNodesToScore). */
export function feasibleEnough(nodes: number): number {
  if (nodes < feasibleMin) return nodes;
  const percent = Math.max(shareMinPercent, 50 - Math.floor(nodes / 125));
  return Math.max(feasibleMin, Math.floor((nodes * percent) / 100));
}

function nominatedNode({ status }: Pod, cluster: Cluster): NodeState | undefined {
  return status?.nominatedNodeName ? cluster.node(status.nominatedNodeName) : undefined;
}

function search(filters: Filters, nodes: readonly NodeState[], start: number) {
  const enough = feasibleEnough(nodes.length);
  const feasible: NodeState[] = [];
  const refused = new Map<NodeState, Refusal & { plugin: Plugin }>();
  let searched = 0;
  for (; searched < nodes.length && feasible.length < enough; searched++) {
    const state = nodes[(start + searched) % nodes.length]!;
    const refusal = filters.objection(state);
    if (refusal) refused.set(state, refusal);
    else feasible.push(state);
  }
  return { feasible, refused, searched };
}

function best(pod: Pod, feasible: readonly NodeState[], cluster: Cluster): NodeState {
  if (feasible.length === 1) return feasible[0]!;
  const scores = scoreNodes(pod, feasible, cluster);
  let chosen = 0;
  for (let index = 1; index < feasible.length; index++) {
    const lead = scores[index]! - scores[chosen]!;
    if (lead > 0 || (lead === 0 && feasible[index]!.pods.size < feasible[chosen]!.pods.size)) chosen = index;
  }
  return feasible[chosen]!;
}

function fail(
  filters: Filters,
  cluster: Cluster,
  refused: ReadonlyMap<NodeState, Refusal & { plugin: Plugin }>,
  { budgets = [], start = 0 }: ScheduleOptions,
): Failure {
  const reasons = new Reasons();
  for (const refusal of refused.values()) reasons.add(refusal.reasons);
  const message = reasons.explain(cluster.nodes.length);
  const plugins = new Set([...refused.values()].map(({ plugin }) => plugin));
  const preemption = preempt({ filters, cluster, refused, budgets, offset: start });
  if (preemption.node !== undefined) return { message, plugins, preemption };
  return { message: `${message} preemption: ${preemption.message}`, plugins };
}
