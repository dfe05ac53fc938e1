import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import type { Running } from '../base/lifecycle.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';

/** The third byte of 10.42.n.0/24. */
const subnetsMax = 256;

/** The subnet for a node that has none: the first that no other node has; undefined when all are given out. */
export function plan(taken: ReadonlySet<string>): string | undefined {
  for (let n = 0; n < subnetsMax; n++) {
    const subnet = `10.42.${n}.0/24`;
    if (!taken.has(subnet)) return subnet;
  }
  return undefined;
}

/** Gives every node the addresses for its pods. */
export function run(context: Context): Running {
  const { client, informers } = context;
  const nodes = informers.of(nodeKind);
  const events = context.recorder('cidr-allocator');
  /** Subnets given out by us, which the cache may not have seen yet. */
  const given = new Map<string, string>();

  async function reconcile(name: string): Promise<undefined> {
    const node = nodes.get(name);
    if (!node) {
      given.delete(name);
      return;
    }
    if (node.spec?.podCIDR) return;
    const others = nodes.list().filter((other) => other !== node);
    const taken = new Set([...others.map(({ spec }) => spec?.podCIDR ?? ''), ...given.values()]);
    const subnet = given.get(name) ?? plan(taken);
    if (!subnet) {
      const message = 'All 256 pod subnets of 10.42.0.0/16 are taken; delete nodes that are gone';
      events.record(subjectOf(nodeKind, node), 'Warning', 'CIDRNotAvailable', message);
      return;
    }
    given.set(name, subnet);
    const body: Node = {
      metadata: { uid: node.metadata?.uid ?? '' },
      spec: { podCIDR: subnet, podCIDRs: [subnet] },
    };
    await client.patch(nodeKind, { name }, { type: 'merge', body });
  }

  return runController(context, {
    name: 'node-cidr',
    sources: [source(nodeKind, ({ key }) => [key])],
    reconcile,
    // Two at once could take the same subnet.
    concurrency: 1,
  });
}
