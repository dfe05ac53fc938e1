import { BlockList, isIP, isIPv4 } from 'node:net';
import type { Path } from './path.ts';
import type { Report } from './report.ts';

/** An IP address, in Kubernetes' words. */
export function checkAddress(address: string, at: Path, report: Report): void {
  if (isIP(address) === 0) {
    report.invalid(at, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  }
}

/** A range of addresses; `bits` is the length of its prefix. */
export interface AddressRange {
  address: string;
  bits: number;
  family: 'ipv4' | 'ipv6';
}

/** Reads `10.9.8.0/24`; undefined for what is none. */
export function readRange(text: string): AddressRange | undefined {
  const [, address = '', bits = ''] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  if (isIP(address) === 0) return undefined;
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  return Number(bits) <= (family === 'ipv4' ? 32 : 128) ? { address, bits: Number(bits), family } : undefined;
}

export function checkRange(text: string, at: Path, report: Report): void {
  if (readRange(text)) return;
  report.invalid(at, text, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)');
}

/** Whether `inner` is a part of `outer`, and smaller. */
export function isStrictSubset(inner: AddressRange, outer: AddressRange): boolean {
  if (inner.family !== outer.family || inner.bits <= outer.bits) return false;
  const list = new BlockList();
  list.addSubnet(outer.address, outer.bits, outer.family);
  return list.check(inner.address, inner.family);
}

const special: [string, string, number, 'ipv4' | 'ipv6'][] = [
  ['may not be in the loopback range (127.0.0.0/8, ::1/128)', '127.0.0.0', 8, 'ipv4'],
  ['may not be in the loopback range (127.0.0.0/8, ::1/128)', '::1', 128, 'ipv6'],
  ['may not be in the link-local range (169.254.0.0/16, fe80::/10)', '169.254.0.0', 16, 'ipv4'],
  ['may not be in the link-local range (169.254.0.0/16, fe80::/10)', 'fe80::', 10, 'ipv6'],
  ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)', '224.0.0.0', 24, 'ipv4'],
  ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)', 'ff02::', 16, 'ipv6'],
];

/** An address that something elsewhere can be reached at. */
export function checkOrdinaryAddress(address: string, at: Path, report: Report): void {
  if (isIP(address) === 0) {
    report.invalid(at, address, 'must be a valid IP address');
    return;
  }
  if (address === '0.0.0.0' || address === '::') {
    report.invalid(at, address, `may not be unspecified (${address})`);
  }
  for (const [why, network, bits, family] of special) {
    const list = new BlockList();
    list.addSubnet(network, bits, family);
    if (list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')) report.invalid(at, address, why);
  }
}
