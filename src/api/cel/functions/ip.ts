import { isIPv4, isIPv6 } from 'node:net';
import { CelError } from '../source.ts';
import { boolType, intType, opaque, stringType } from '../types.ts';
import { OpaqueValue, type Value } from '../values.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';

const ip = opaque('net.IP');
const cidr = opaque('net.CIDR');

class Ip extends OpaqueValue {
  readonly typeName = 'net.IP';
  readonly bits: bigint;
  readonly family: 4 | 6;
  constructor(bits: bigint, family: 4 | 6) {
    super();
    this.bits = bits;
    this.family = family;
  }
  equals(other: Value): boolean {
    return other instanceof Ip && other.family === this.family && other.bits === this.bits;
  }
}

class Cidr extends OpaqueValue {
  readonly typeName = 'net.CIDR';
  readonly address: Ip;
  readonly prefix: number;
  constructor(address: Ip, prefix: number) {
    super();
    this.address = address;
    this.prefix = prefix;
  }
  equals(other: Value): boolean {
    return other instanceof Cidr && other.prefix === this.prefix && other.address.equals(this.address);
  }
  masked(bits = this.address.bits): bigint {
    const width = BigInt((this.address.family === 4 ? 32 : 128) - this.prefix);
    return (bits >> width) << width;
  }
  contains({ family, bits }: Ip): boolean {
    return family === this.address.family && this.masked(bits) === this.masked();
  }
}

/** Neither zones nor IPv4 addresses inside IPv6 are taken, as in Kubernetes. */
function parseIp(text: string): Ip | undefined {
  if (isIPv4(text))
    return new Ip(
      text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n),
      4,
    );
  if (!isIPv6(text) || text.includes('%') || text.includes('.')) return undefined;
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const all =
    tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return new Ip(
    all.reduce((bits: bigint, group) => (bits << 16n) | BigInt(`0x${group}`), 0n),
    6,
  );
}

function needIp(text: string): Ip {
  const parsed = parseIp(text);
  if (!parsed)
    throw new CelError(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: unable to parse IP`,
    );
  return parsed;
}

function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match ? parseIp(match[1]!) : undefined;
  const prefix = Number(match?.[2]);
  return address && prefix <= (address.family === 4 ? 32 : 128) ? new Cidr(address, prefix) : undefined;
}

function needCidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed) throw new CelError(`network address parse error during conversion from string: ${text}`);
  return parsed;
}

/** RFC 5952. */
function formatIp({ bits, family }: Ip): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
  );
  const text = groups.join(':');
  const zeros = [...text.matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length)[0];
  if (!zeros) return text;
  const [before, after] = [text.slice(0, zeros.index), text.slice(zeros.index + zeros[0].length)];
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}

const top = ({ bits, family }: Ip, count: bigint) => bits >> (BigInt(family === 4 ? 32 : 128) - count);
const isLoopback = (x: Ip) => (x.family === 4 ? top(x, 8n) === 127n : x.bits === 1n);
const isMulticast = (x: Ip) => (x.family === 4 ? top(x, 4n) === 14n : top(x, 8n) === 255n);
const isLocalMulticast = (x: Ip) =>
  x.family === 4 ? top(x, 24n) === 0xe00000n : (top(x, 16n) & 0xff0fn) === 0xff02n;
const isLocalUnicast = (x: Ip) => (x.family === 4 ? top(x, 16n) === 0xa9fen : top(x, 10n) === 0x3fan);
const isGlobalUnicast = (x: Ip) =>
  x.bits !== 0n &&
  !(x.family === 4 && x.bits === 0xffffffffn) &&
  !isLoopback(x) &&
  !isMulticast(x) &&
  !isLocalUnicast(x);

const text = stringType;

/** Kubernetes' libraries of addresses and networks. */
export const ipLibrary = library(
  fn('ip', 'string_to_ip', [text], ip, needIp),
  fn('isIP', 'is_ip', [text], boolType, (x: string) => parseIp(x) !== undefined),
  fn('ip.isCanonical', 'ip_is_canonical', [text], boolType, (x: string) => formatIp(needIp(x)) === x),
  fn('string', 'ip_to_string', [ip], text, formatIp),
  member('family', 'ip_family', [ip], intType, (x: Ip) => BigInt(x.family)),
  member('isUnspecified', 'ip_is_unspecified', [ip], boolType, (x: Ip) => x.bits === 0n),
  member('isLoopback', 'ip_is_loopback', [ip], boolType, isLoopback),
  member('isLinkLocalMulticast', 'ip_is_link_local_multicast', [ip], boolType, isLocalMulticast),
  member('isLinkLocalUnicast', 'ip_is_link_local_unicast', [ip], boolType, isLocalUnicast),
  member('isGlobalUnicast', 'ip_is_global_unicast', [ip], boolType, isGlobalUnicast),
  fn('cidr', 'string_to_cidr', [text], cidr, needCidr),
  fn('isCIDR', 'is_cidr', [text], boolType, (x: string) => parseCidr(x) !== undefined),
  fn('string', 'cidr_to_string', [cidr], text, (x: Cidr) => `${formatIp(x.address)}/${x.prefix}`),
  member('containsIP', 'cidr_contains_ip_string', [cidr, text], boolType, (x: Cidr, y: string) =>
    x.contains(needIp(y)),
  ),
  member('containsIP', 'cidr_contains_ip_ip', [cidr, ip], boolType, (x: Cidr, y: Ip) => x.contains(y)),
  member('containsCIDR', 'cidr_contains_cidr_string', [cidr, text], boolType, (x: Cidr, y: string) =>
    holds(x, needCidr(y)),
  ),
  member('containsCIDR', 'cidr_contains_cidr', [cidr, cidr], boolType, holds),
  member('ip', 'cidr_ip', [cidr], ip, (x: Cidr) => x.address),
  member('prefixLength', 'cidr_prefix_length', [cidr], intType, (x: Cidr) => BigInt(x.prefix)),
  member(
    'masked',
    'cidr_masked',
    [cidr],
    cidr,
    (x: Cidr) => new Cidr(new Ip(x.masked(), x.address.family), x.prefix),
  ),
);

function holds(outer: Cidr, inner: Cidr): boolean {
  return outer.prefix <= inner.prefix && outer.contains(inner.address);
}
