import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { StatusError } from '../base/errors.ts';
import {
  bitString,
  children,
  contextTag,
  decode,
  decodeAll,
  decodeBits,
  decodeOid,
  type Element,
  encode,
  fromPem,
  integer,
  malformed,
  oid,
  sequence,
  set,
  tags,
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

export interface ParsedRequest extends Required<CertificateNames> {
  publicKey: KeyObject;
}

/** A request larger than this is refused before it is decoded. */
const requestBytesMax = 64 * 1024;

const extensionRequestOid = '1.2.840.113549.1.9.14';
export const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));

/** Signature algorithm to digest, by OID (RFC 5758, RFC 8017, RFC 8410). */
const digests: Record<string, string | null> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
};

/** A PKCS #10 request (RFC 2986) for a new P-256 key, or for `privateKeyPem` when one is given. */
export function createRequest(
  names: CertificateNames,
  options: { privateKeyPem?: string } = {},
): { csrPem: string; privateKeyPem: string } {
  const privateKey = options.privateKeyPem
    ? createPrivateKey(options.privateKeyPem)
    : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const alternativeNames = encodeAlternativeNames(names);
  const extensions = alternativeNames
    ? [
        sequence(
          oid(extensionRequestOid),
          set(sequence(encodeExtension(extensionOids.subjectAltName, alternativeNames))),
        ),
      ]
    : [];
  const info = sequence(
    integer(Buffer.from([0])),
    encodeSubject(names),
    publicKey,
    encode(contextTag(0, true), ...extensions),
  );
  const request = sequence(info, ecdsaWithSha256, bitString(sign('sha256', info, privateKey)));
  return {
    csrPem: toPem('CERTIFICATE REQUEST', request),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Reads a request and checks that its maker holds the private key; BadRequest says what is wrong with it. */
export function parseRequest(csrPem: string): ParsedRequest {
  if (csrPem.length > requestBytesMax) {
    throw new StatusError('BadRequest', `The certificate request has more than ${requestBytesMax} bytes.`);
  }
  const [info, algorithm, signature] = children(
    decode(fromPem('CERTIFICATE REQUEST', csrPem)),
    tags.sequence,
  );
  const [, subject, spki, attributes] = children(info, tags.sequence);
  const publicKey = readPublicKey(spki);
  const digest = digests[decodeOid(children(algorithm, tags.sequence)[0])];
  if (digest === undefined) {
    throw new StatusError(
      'BadRequest',
      'The certificate request is signed with an algorithm that is not accepted.',
    );
  }
  if (!verify(digest, info!.raw, publicKey, decodeBits(signature))) {
    throw new StatusError('BadRequest', "The certificate request's signature does not match its key.");
  }
  const { others, ...names } = decodeAlternativeNames(requestedAlternativeNames(attributes));
  if (others > 0) throw malformed('the request asks for names other than DNS, IP and URI');
  return { ...decodeSubject(subject), ...names, publicKey };
}

function requestedAlternativeNames(attributes: Element | undefined): Element | undefined {
  if (!attributes) return undefined;
  for (const attribute of children(attributes, contextTag(0, true))) {
    const [type, values] = children(attribute, tags.sequence);
    if (decodeOid(type) !== extensionRequestOid) continue;
    const found = decodeExtensions(children(values, tags.set)[0]).get(extensionOids.subjectAltName);
    if (found) return decodeAll(found)[0];
  }
  return undefined;
}

function readPublicKey(spki: Element | undefined): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki!.raw, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new StatusError('BadRequest', 'The certificate request has no public key that can be read.', {
      cause,
    });
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const isStrong =
    type === 'ed25519' ||
    (type === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(details?.namedCurve ?? '')) ||
    (type === 'rsa' && (details?.modulusLength ?? 0) >= 2048);
  if (isStrong) return key;
  throw new StatusError(
    'BadRequest',
    `The certificate request has a ${type} key that is not accepted; use ECDSA P-256, Ed25519, or RSA of 2048 bits or more.`,
  );
}
