import { BlockList, isIPv4 } from 'node:net';
import { StatusError } from '../../base/errors.ts';

/** The addresses of the service network; the first is the `kubernetes` Service's by request. */
export class AddressPool {
  readonly cidr: string;
  #first: number;
  #size: number;
  #taken = new Set<string>();
  #next = 0;
  #network = new BlockList();

  /** `cidr` is IPv4, such as `10.43.0.0/16`. */
  constructor(cidr: string) {
    const [base, bits] = cidr.split('/');
    this.cidr = cidr;
    this.#first = toNumber(base!);
    this.#size = 2 ** (32 - Number(bits));
    this.#network.addSubnet(base!, Number(bits), 'ipv4');
  }

  /** Takes this address, or says why it can't be had. */
  take(address: string): string | undefined {
    if (!isIPv4(address)) return 'must be a valid IP address, (e.g. 10.9.8.7)';
    if (!this.#network.check(address, 'ipv4')) {
      return `failed to allocate IP ${address}: the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.cidr}`;
    }
    if (this.#taken.has(address)) return `failed to allocate IP ${address}: provided IP is already allocated`;
    this.#taken.add(address);
    return undefined;
  }

  /** Takes a free address, the ones least lately given out first. */
  takeAny(): string {
    const usable = this.#size - 2;
    for (let step = 0; step < usable; step++) {
      const address = toText(this.#first + 1 + ((this.#next + step) % usable));
      if (address.endsWith('.0.1') || this.#taken.has(address)) continue;
      this.#next = (this.#next + step + 1) % usable;
      this.#taken.add(address);
      return address;
    }
    throw new StatusError(
      'InternalError',
      `failed to allocate a serviceIP: all ${usable} addresses of ${this.cidr} are taken; delete Services that are not needed`,
    );
  }

  release(address: string): void {
    this.#taken.delete(address);
  }
}

/** The first usable address of a network: the `kubernetes` Service's. */
export function firstAddress(cidr: string): string {
  return toText(toNumber(cidr.split('/')[0]!) + 1);
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
