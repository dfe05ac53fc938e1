import { BlockList, isIP } from 'node:net';

/**
 * Addresses that lead back into the machine, or to what only the machine itself should ask: loopback, the unspecified
 * address (which Linux takes for loopback), and link-local ones, where clouds answer with the machine's credentials.
 * An IPv4 address written as an IPv6 one counts as what it is.
 */
export function isLocalAddress(ip: string): boolean {
  return localAddresses.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4');
}

/** Whether a host names such an address by itself, so that it can be refused before anything is looked up. */
export function isLocalHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$|\.$/g, '');
  return name === 'localhost' || name.endsWith('.localhost') || (isIP(name) !== 0 && isLocalAddress(name));
}

const localAddresses = new BlockList();
localAddresses.addSubnet('0.0.0.0', 8, 'ipv4');
localAddresses.addSubnet('127.0.0.0', 8, 'ipv4');
localAddresses.addSubnet('169.254.0.0', 16, 'ipv4');
localAddresses.addAddress('::', 'ipv6');
localAddresses.addAddress('::1', 'ipv6');
localAddresses.addSubnet('fe80::', 10, 'ipv6');
