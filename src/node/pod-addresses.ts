import type { Node } from '../api/kinds/node.ts';
import { StatusError } from '../base/errors.ts';
import type { Informer } from '../client/informer.ts';
import type { PodRecord } from './pods/record.ts';
import type { NodeState } from './state.ts';

export interface PodAddressesOptions {
  nodeName: string;
  /** At least the node itself. */
  nodes: Informer<Node>;
  state: NodeState;
  records: () => PodRecord[];
}

/** Gives pods their addresses, from the range that the cluster gave to this node. */
export class PodAddresses {
  readonly #options: PodAddressesOptions;
  #last: string | undefined;

  constructor(options: PodAddressesOptions) {
    this.#options = options;
  }

  /** The pod's address, the same at each call; waits until the node has a range. */
  async assign(record: PodRecord): Promise<string> {
    const podCIDR = this.#podCIDR() ?? (await this.#whenGiven());
    if (record.ip) return record.ip;
    const used = new Set(this.#options.records().flatMap(({ ip }) => ip ?? []));
    record.ip = freeAddress(podCIDR, used, this.#last);
    this.#last = record.ip;
    return record.ip;
  }

  /** What the API server says; what it said last while it hasn't answered. */
  #podCIDR(): string | undefined {
    const { nodes, nodeName, state } = this.#options;
    const podCIDR = nodes.get(nodeName)?.spec?.podCIDR;
    if (!podCIDR) return state.fact('podCIDR') as string | undefined;
    state.saveFact('podCIDR', podCIDR);
    return podCIDR;
  }

  #whenGiven(): Promise<string> {
    return new Promise((resolve) => {
      const stop = this.#options.nodes.onEvent(() => {
        const podCIDR = this.#podCIDR();
        if (!podCIDR) return;
        // The first call may come from within `onEvent`, before it has returned.
        queueMicrotask(() => stop());
        resolve(podCIDR);
      });
    });
  }
}

/**
 * The next free address of a range after `last`, beginning anew at its end, so that one just given back rests a while.
 * The first address is the network's, the second the node's (as CNI's host-local has it), the last is broadcast.
 * `Invalid` if the range is malformed or used up.
 */
export function freeAddress(podCIDR: string, used: ReadonlySet<string>, last?: string): string {
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})\/(\d{1,2})$/.exec(podCIDR);
  const prefix = Number(match?.[2]);
  if (!match || prefix < 8 || prefix > 30) {
    throw new StatusError('Invalid', `pod range "${podCIDR}" should be an IPv4 network such as 10.42.0.0/24`);
  }
  const size = 2 ** (32 - prefix);
  const base = numberOf(match[1]!);
  const network = base - (base % size);
  const count = size - 3;
  const lastAt = last === undefined ? -1 : numberOf(last) - network - 2;
  const first = lastAt >= 0 && lastAt < count ? lastAt + 1 : 0;
  for (let step = 0; step < count; step++) {
    const address = dotted(network + 2 + ((first + step) % count));
    if (!used.has(address)) return address;
  }
  throw new StatusError('Invalid', `no free address in pod range ${podCIDR}: ${used.size} are in use`);
}

const numberOf = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
