import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { ecdsaWithSha256 } from './csr.ts';
import {
  bitString,
  boolean,
  children,
  contextTag,
  decode,
  decodeAll,
  encode,
  fromPem,
  integer,
  octetString,
  oid,
  sequence,
  tags,
  time,
  toPem,
} from './der.ts';
import { decodeExtensions, encodeExtension, extensionOids } from './extensions.ts';
import {
  type CertificateNames,
  decodeAlternativeNames,
  decodeSubject,
  encodeAlternativeNames,
  encodeSubject,
} from './names.ts';

export type CertificateUsage = 'client' | 'server';

const usageOids: Record<CertificateUsage, string> = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
};

export interface CertificateContent {
  names: CertificateNames;
  publicKey: KeyObject;
  /** An authority signs others; the rest name what they may be used for. */
  role: { authority: true } | { usages: CertificateUsage[] };
  notBeforeMs: number;
  notAfterMs: number;
}

export interface Issuer {
  /** The issuer's subject, DER. */
  subject: Uint8Array;
  /** P-256. */
  privateKey: KeyObject;
}

/** Encodes and signs an X.509 version 3 certificate (RFC 5280) with a random 128-bit serial number; PEM. */
export function createCertificate(content: CertificateContent, issuer: Issuer): string {
  const version3 = encode(contextTag(0, true), integer(Buffer.from([2])));
  const body = sequence(
    version3,
    integer(randomSerial()),
    ecdsaWithSha256,
    issuer.subject,
    sequence(time(content.notBeforeMs), time(content.notAfterMs)),
    encodeSubject(content.names),
    spkiOf(content.publicKey),
    encode(contextTag(3, true), sequence(...extensionsOf(content, issuer))),
  );
  const signature = sign('sha256', body, issuer.privateKey);
  return toPem('CERTIFICATE', sequence(body, ecdsaWithSha256, bitString(signature)));
}

/** The names in a certificate, which may be PEM or DER. Only what a trusted authority signed is worth believing. */
export function readCertificateNames(certificate: string | Uint8Array): Required<CertificateNames> {
  const der = typeof certificate === 'string' ? fromPem('CERTIFICATE', certificate) : certificate;
  const parts = children(children(decode(der), tags.sequence)[0], tags.sequence);
  // Before the subject stand: [0] version, serial number, algorithm, issuer, validity; after it the key.
  const extensions = parts.find(({ tag }) => tag === contextTag(3, true));
  const found = extensions && decodeExtensions(decode(extensions.content));
  const alternativeNames = found?.get(extensionOids.subjectAltName);
  const { others: _, ...names } = decodeAlternativeNames(alternativeNames && decodeAll(alternativeNames)[0]);
  return { ...decodeSubject(parts[5]), ...names };
}

/** The subject of a version 3 certificate as DER, to be put as issuer into what it signs. */
export function subjectOf(certificatePem: string): Buffer {
  const der = fromPem('CERTIFICATE', certificatePem);
  return children(children(decode(der), tags.sequence)[0], tags.sequence)[5]!.raw;
}

function extensionsOf({ names, publicKey, role }: CertificateContent, issuer: Issuer): Buffer[] {
  const isAuthority = 'authority' in role;
  const alternativeNames = encodeAlternativeNames(names);
  const issuerKey = keyIdentifier(createPublicKey(issuer.privateKey));
  return [
    encodeExtension(extensionOids.basicConstraints, sequence(...(isAuthority ? [boolean(true)] : [])), {
      critical: true,
    }),
    encodeExtension(extensionOids.keyUsage, keyUsage(isAuthority, publicKey), { critical: true }),
    ...(isAuthority
      ? []
      : [
          encodeExtension(
            extensionOids.extendedKeyUsage,
            sequence(...role.usages.map((u) => oid(usageOids[u]))),
          ),
        ]),
    encodeExtension(extensionOids.subjectKeyIdentifier, octetString(keyIdentifier(publicKey))),
    encodeExtension(extensionOids.authorityKeyIdentifier, sequence(encode(contextTag(0, false), issuerKey))),
    ...(alternativeNames ? [encodeExtension(extensionOids.subjectAltName, alternativeNames)] : []),
  ];
}

/** Bits from the top: 0 digitalSignature, 2 keyEncipherment, 5 keyCertSign, 6 cRLSign. */
function keyUsage(isAuthority: boolean, publicKey: KeyObject): Buffer {
  if (isAuthority) return bitString(Buffer.from([0b1000_0110]), 1);
  const encipherment = publicKey.asymmetricKeyType === 'rsa';
  return encipherment ? bitString(Buffer.from([0b1010_0000]), 5) : bitString(Buffer.from([0b1000_0000]), 7);
}

/** RFC 7093 method 1: the first 160 bits of SHA-256 over the key's bits. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const bits = children(decode(spkiOf(publicKey)), tags.sequence)[1]!.content.subarray(1);
  return createHash('sha256').update(bits).digest().subarray(0, 20);
}

function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}
