import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import type { Running } from '../base/lifecycle.ts';
import { keyOf } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import { type Context, runController, source } from './controller.ts';
import { type PodNetwork, PodSubnets, podNetworkDefault } from './node-cidr/subnets.ts';

/** Gives every node the addresses for its pods. Throws for a network that cannot be shared out so. */
export function run(context: Context, network: PodNetwork = podNetworkDefault): Running {
  const { client, informers } = context;
  const subnets = new PodSubnets(network);
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
    const subnet = given.get(name) ?? subnets.free(taken);
    if (!subnet) {
      const message =
        `All ${subnets.count} pod subnets of ${subnets.cidr} are taken: no pod starts on this node. Delete nodes that ` +
        'are gone, or start the control plane with a larger --node-cidr-mask-size or a wider --cluster-cidr';
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
    sources: [
      source(nodeKind, ({ type, key }) => {
        if (type !== 'deleted') return [key];
        // What it had is free for those that wait.
        const waiting = nodes.list().filter(({ spec }) => !spec?.podCIDR);
        return [key, ...waiting.map(keyOf)];
      }),
    ],
    reconcile,
    // Two at once could take the same subnet.
    concurrency: 1,
  });
}
