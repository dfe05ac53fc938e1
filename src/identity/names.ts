import { isIPv4, isIPv6 } from 'node:net';
import { StatusError } from '../base/errors.ts';
import {
  children,
  contextTag,
  decodeOid,
  decodeText,
  type Element,
  encode,
  malformed,
  oid,
  sequence,
  set,
  tags,
  utf8String,
} from './der.ts';

/** Whom a certificate names. For an API user the common name is the user and the organizations are the groups. */
export interface CertificateNames {
  commonName: string;
  organizations?: string[];
  dnsNames?: string[];
  ipAddresses?: string[];
  uris?: string[];
}

const commonNameOid = '2.5.4.3';
const organizationOid = '2.5.4.10';

const sanTags = {
  dnsName: contextTag(2, false),
  uri: contextTag(6, false),
  ipAddress: contextTag(7, false),
};

/** An X.501 Name: each organization, then the common name. */
export function encodeSubject(names: CertificateNames): Buffer {
  const attribute = (type: string, value: string) => set(sequence(oid(type), utf8String(value)));
  return sequence(
    ...(names.organizations ?? []).map((organization) => attribute(organizationOid, organization)),
    attribute(commonNameOid, names.commonName),
  );
}

/** Reads a Name; attributes other than CN and O are passed over. */
export function decodeSubject(element: Element | undefined): { commonName: string; organizations: string[] } {
  const subject = { commonName: '', organizations: [] as string[] };
  for (const relativeName of children(element, tags.sequence)) {
    for (const attribute of children(relativeName, tags.set)) {
      const [type, value] = children(attribute, tags.sequence);
      const name = decodeOid(type);
      if (name === commonNameOid) subject.commonName = decodeText(value);
      if (name === organizationOid) subject.organizations.push(decodeText(value));
    }
  }
  return subject;
}

/** The content of a SubjectAltName extension, or undefined when there is nothing to say. */
export function encodeAlternativeNames(names: CertificateNames): Buffer | undefined {
  const items = [
    ...(names.dnsNames ?? []).map((name) => encode(sanTags.dnsName, ascii(name))),
    ...(names.ipAddresses ?? []).map((address) => encode(sanTags.ipAddress, addressBytes(address))),
    ...(names.uris ?? []).map((uri) => encode(sanTags.uri, ascii(uri))),
  ];
  return items.length > 0 ? sequence(...items) : undefined;
}

/** Other kinds of names than DNS, IP and URI (e-mail, …) are counted in `others`. */
export function decodeAlternativeNames(element: Element | undefined) {
  const names = {
    dnsNames: [] as string[],
    ipAddresses: [] as string[],
    uris: [] as string[],
    others: 0,
  };
  for (const { tag, content } of element ? children(element, tags.sequence) : []) {
    if (tag === sanTags.dnsName) names.dnsNames.push(content.toString('latin1'));
    else if (tag === sanTags.uri) names.uris.push(content.toString('latin1'));
    else if (tag === sanTags.ipAddress) names.ipAddresses.push(addressText(content));
    else names.others += 1;
  }
  return names;
}

function ascii(text: string): Buffer {
  if (/^[\x21-\x7e]+$/.test(text)) return Buffer.from(text, 'latin1');
  throw new StatusError(
    'BadRequest',
    `"${text}" cannot be a name in a certificate: only ASCII without spaces can.`,
  );
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address)) throw new StatusError('BadRequest', `"${address}" is not an IP address.`);
  // The URL parser compresses an address, so it also knows how to take a mixed form apart.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const left = head.split(':').filter(Boolean);
  const right = (tail ?? '').split(':').filter(Boolean);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const groups = [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  if (bytes.length !== 16) throw malformed(`an IP address has ${bytes.length} bytes`);
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
