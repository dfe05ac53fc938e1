/** How the pods' network is shared out among the nodes, as kube-controller-manager's flags of these names say. */
export interface PodNetwork {
  /** `--cluster-cidr`, IPv4. */
  clusterCidr: string;
  /** `--node-cidr-mask-size`. */
  nodeCidrMaskSize: number;
}

export const podNetworkDefault: PodNetwork = { clusterCidr: '10.42.0.0/16', nodeCidrMaskSize: 24 };

/** More nodes nobody has, and a wider network would have them looked through one by one. */
const subnetBitsMax = 16;
/** A node's network needs an address for itself and at least one pod. */
const maskSizeMax = 30;

/** The network that each node's is a part of. Throws an Error that says what is wrong with the flags. */
export class PodSubnets {
  readonly cidr: string;
  readonly count: number;
  readonly #base: number;
  readonly #maskSize: number;
  #next = 0;

  constructor({ clusterCidr, nodeCidrMaskSize }: PodNetwork, serviceCidr = '10.43.0.0/16') {
    const cluster = parse(clusterCidr);
    const bits = nodeCidrMaskSize - (cluster?.prefix ?? 0);
    if (!cluster) {
      throw new Error(`--cluster-cidr ${clusterCidr} is no IPv4 network; it should look like 10.42.0.0/16`);
    }
    if (bits < 0 || bits > subnetBitsMax || nodeCidrMaskSize > maskSizeMax) {
      const [least, most] = [cluster.prefix, Math.min(cluster.prefix + subnetBitsMax, maskSizeMax)];
      const range = `${least} to ${most}`;
      throw new Error(
        `--node-cidr-mask-size ${nodeCidrMaskSize} does not fit ${clusterCidr}: ${range} would`,
      );
    }
    if (overlaps(cluster, parse(serviceCidr)!)) {
      throw new Error(`--cluster-cidr ${clusterCidr} overlaps the network of Services, ${serviceCidr}`);
    }
    this.cidr = clusterCidr;
    this.count = 2 ** bits;
    this.#base = cluster.first;
    this.#maskSize = nodeCidrMaskSize;
  }

  /** The next that no node has, beginning anew at the end of the network; undefined when all are given out. */
  free(taken: ReadonlySet<string>): string | undefined {
    for (let step = 0; step < this.count; step++) {
      const n = (this.#next + step) % this.count;
      const subnet = `${dotted(this.#base + n * 2 ** (32 - this.#maskSize))}/${this.#maskSize}`;
      if (taken.has(subnet)) continue;
      this.#next = n + 1;
      return subnet;
    }
    return undefined;
  }
}

interface Network {
  first: number;
  prefix: number;
}

function parse(cidr: string): Network | undefined {
  const [, address, prefix] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(cidr) ?? [];
  const bytes = (address ?? '').split('.').map(Number);
  if (bytes.some((byte) => byte > 255) || address === undefined || Number(prefix) > 32) return undefined;
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { first: number - (number % 2 ** (32 - Number(prefix))), prefix: Number(prefix) };
}

function overlaps(one: Network, other: Network): boolean {
  const last = ({ first, prefix }: Network) => first + 2 ** (32 - prefix) - 1;
  return one.first <= last(other) && other.first <= last(one);
}

function dotted(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
