import { BlockList, isIP, isIPv4 } from 'node:net';
import type { Path } from './path.ts';
import type { Report } from './report.ts';

/** 4 or 6, 0 for what is no address. As in Kubernetes, `010.0.0.1` is one, and `::ffff:10.0.0.1` is one of IPv4. */
export function addressFamily(text: string): 0 | 4 | 6 {
  const address = unpadded(text);
  // A zone belongs to one machine.
  if (isIP(address) === 0 || address.includes('%')) return 0;
  return isIPv4(address) || ipv4InIpv6.check(address, 'ipv6') ? 4 : 6;
}

const ipv4InIpv6 = new BlockList();
ipv4InIpv6.addSubnet('::ffff:0:0', 96, 'ipv6');

const unpadded = (text: string) =>
  /^\d+(\.\d+){3}$/.test(text) ? text.replace(/(?<!\d)0+(?=\d)/g, '') : text;

/** An IP address, in Kubernetes' words. */
export function checkAddress(address: string, at: Path, report: Report): void {
  if (addressFamily(address) === 0) {
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
  const [, written = '', bits = ''] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  if (addressFamily(written) === 0) return undefined;
  const address = unpadded(written);
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

const special = [
  ['may not be in the loopback range (127.0.0.0/8, ::1/128)', '127.0.0.0', 8, 'ipv4'],
  ['may not be in the loopback range (127.0.0.0/8, ::1/128)', '::1', 128, 'ipv6'],
  ['may not be in the link-local range (169.254.0.0/16, fe80::/10)', '169.254.0.0', 16, 'ipv4'],
  ['may not be in the link-local range (169.254.0.0/16, fe80::/10)', 'fe80::', 10, 'ipv6'],
  ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)', '224.0.0.0', 24, 'ipv4'],
  ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)', 'ff02::', 16, 'ipv6'],
] as const;
const ranges = special.map(([why, network, bits, family]) => {
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return { why, list };
});
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export const isLoopback = (address: string) => isIn(loopback, unpadded(address));

const isIn = (list: BlockList, address: string) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');

/** An address that something elsewhere can be reached at. */
export function checkOrdinaryAddress(address: string, at: Path, report: Report): void {
  if (addressFamily(address) === 0) {
    report.invalid(at, address, 'must be a valid IP address');
    return;
  }
  if (address === '0.0.0.0' || address === '::') {
    report.invalid(at, address, `may not be unspecified (${address})`);
  }
  for (const { why, list } of ranges) if (isIn(list, unpadded(address))) report.invalid(at, address, why);
}
