import { StatusError } from '../base/errors.ts';

/**
 * The lowest free address of a node's pod range. The first address is the network's and the second the node's, as
 * CNI's host-local plug-in has it, and the last is broadcast. `Invalid` if the range is malformed or used up.
 */
export function freeAddress(podCIDR: string, used: ReadonlySet<string>): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(podCIDR);
  const prefix = Number(match?.[5]);
  if (!match || prefix < 8 || prefix > 30) {
    throw new StatusError('Invalid', `pod range "${podCIDR}" should be an IPv4 network such as 10.42.0.0/24`);
  }
  const size = 2 ** (32 - prefix);
  const base = match.slice(1, 5).reduce((sum, part) => sum * 256 + Number(part), 0);
  const network = base - (base % size);
  for (let at = 2; at < size - 1; at++) {
    const address = dotted(network + at);
    if (!used.has(address)) return address;
  }
  throw new StatusError('Invalid', `no free address in pod range ${podCIDR}: ${used.size} are in use`);
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
