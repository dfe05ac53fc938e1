import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { type Context, runController, source } from './controller.ts';

/** For how many seconds a node may believe what it has read of Secrets and ConfigMaps. */
export const ttlAnnotation = 'node.alpha.kubernetes.io/ttl';
/** By the number of nodes, as in Kubernetes; that the ranges overlap keeps a cluster at their border from changing to and fro. */
const steps = [
  { least: 0, most: 100, seconds: 0 },
  { least: 90, most: 500, seconds: 15 },
  { least: 450, most: 1000, seconds: 30 },
  { least: 900, most: 2000, seconds: 60 },
  { least: 1800, most: Number.POSITIVE_INFINITY, seconds: 300 },
] as const;

/** The step for so many nodes, coming from another. */
export function stepFor(nodes: number, from: number): number {
  let step = from;
  while (nodes > steps[step]!.most) step++;
  while (nodes < steps[step]!.least) step--;
  return step;
}

/** Tells each node, when it comes or changes, how long it may keep what it has read. */
export function run(context: Context): Running {
  const { client, informers } = context;
  const nodes = informers.of(nodeKind);
  let count = 0;
  let step = 0;

  const keysFor = ({ type, key }: Change<Node>): string[] => {
    if (type === 'added') count++;
    if (type === 'deleted') count--;
    step = stepFor(count, step);
    return type === 'deleted' ? [] : [key];
  };

  return runController(context, {
    name: 'node-ttl',
    sources: [source(nodeKind, keysFor)],
    async reconcile(name) {
      const wanted = String(steps[step]!.seconds);
      const node = nodes.get(name);
      if (!node || node.metadata?.annotations?.[ttlAnnotation] === wanted) return undefined;
      const body = { metadata: { annotations: { [ttlAnnotation]: wanted } } };
      await client.patch(nodeKind, { name }, { type: 'merge', body }).catch((error: unknown) => {
        if (!isStatus(error, 'NotFound')) throw error;
      });
      return undefined;
    },
  });
}
