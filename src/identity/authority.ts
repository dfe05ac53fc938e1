import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { messageOf, StatusError } from '../base/errors.ts';
import { type CertificateUsage, createCertificate, type Issuer, subjectOf } from './certificate.ts';
import { parseRequest } from './csr.ts';
import { loadOrCreateFile, readIfExists } from './key-file.ts';
import { type CertificateNames, encodeSubject } from './names.ts';

export interface CertificateTerms {
  usages: CertificateUsage[];
  lifetimeSeconds: number;
}

export interface IssuedCertificate {
  certificatePem: string;
  /** The certificate and the authority's after it: what a server sends, so that a joining node can pin the authority. */
  chainPem: string;
}

/** The cluster's certificate authority. */
export interface Authority {
  readonly caPem: string;
  /** SHA-256 of the authority's certificate in DER, as hex: what a join token pins. */
  readonly caHash: string;
  readonly trustDomain: string;
  /** Makes a new P-256 key and a certificate for it. */
  issue(options: CertificateNames & CertificateTerms): IssuedCertificate & { privateKeyPem: string };
  /**
   * Signs a request. The names come from `options`, never from the request: whoever calls this has decided what the
   * requester may be called; the request only proves that it holds the key. BadRequest for a request that does not.
   */
  sign(csrPem: string, options: CertificateNames & CertificateTerms): IssuedCertificate;
}

const caLifetimeMs = 10 * 365 * 24 * 3600_000;
/** A node's clock may be behind by this much without refusing what was issued just now. */
const skewMs = 3600_000;
const caSkewMs = 24 * 3600_000;

/** Opens the authority in `dir`, or founds it: ECDSA P-256, ten years. */
export function openAuthority(options: { dir: string; clock?: Clock; trustDomain?: string }): Authority {
  const { dir, clock = systemClock, trustDomain = 'cluster.local' } = options;
  const keyPath = join(dir, 'ca.key');
  const certificatePath = join(dir, 'ca.crt');
  if (readIfExists(certificatePath) && !readIfExists(keyPath)) {
    throw new StatusError(
      'InternalError',
      `${certificatePath} is there but its key ${keyPath} is missing. Restore the key from a backup; ` +
        'or remove the certificate to found a new authority, which all nodes must then join anew.',
    );
  }
  // The key first: a crash in between leaves a key without a certificate, which the next start completes.
  const privateKey = readPrivateKey(loadOrCreateFile(keyPath, newPrivateKeyPem), keyPath);
  const caPem = loadOrCreateFile(certificatePath, () =>
    found(privateKey, trustDomain, clock.nowMs()),
  ).toString();
  return new FileAuthority({ caPem, privateKey, trustDomain, clock, certificatePath });
}

class FileAuthority implements Authority {
  readonly caPem: string;
  readonly caHash: string;
  readonly trustDomain: string;
  #issuer: Issuer;
  #notAfterMs: number;
  #clock: Clock;

  constructor(options: {
    caPem: string;
    privateKey: KeyObject;
    trustDomain: string;
    clock: Clock;
    certificatePath: string;
  }) {
    const certificate = readCertificate(options.caPem, options.certificatePath);
    if (!certificate.checkPrivateKey(options.privateKey)) {
      throw new StatusError(
        'InternalError',
        `${options.certificatePath} and the key ca.key beside it do not belong together. Restore both from the same backup.`,
      );
    }
    this.caPem = options.caPem;
    this.caHash = hashOf(certificate);
    this.trustDomain = options.trustDomain;
    this.#issuer = { subject: subjectOf(options.caPem), privateKey: options.privateKey };
    this.#notAfterMs = certificate.validToDate.getTime();
    this.#clock = options.clock;
  }

  issue(options: CertificateNames & CertificateTerms): IssuedCertificate & { privateKeyPem: string } {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return { ...this.#certify(publicKey, options), privateKeyPem: pemOf(privateKey) };
  }

  sign(csrPem: string, options: CertificateNames & CertificateTerms): IssuedCertificate {
    return this.#certify(parseRequest(csrPem).publicKey, options);
  }

  #certify(publicKey: KeyObject, options: CertificateNames & CertificateTerms): IssuedCertificate {
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#notAfterMs) {
      throw new StatusError(
        'InternalError',
        `The cluster's certificate authority expired on ${new Date(this.#notAfterMs).toISOString()}, and this ` +
          `machine's clock says ${new Date(nowMs).toISOString()}. Check the clock; if it is right, found a new authority.`,
      );
    }
    const certificatePem = createCertificate(
      {
        names: options,
        publicKey,
        role: { usages: options.usages },
        notBeforeMs: nowMs - skewMs,
        notAfterMs: Math.min(nowMs + options.lifetimeSeconds * 1000, this.#notAfterMs),
      },
      this.#issuer,
    );
    return { certificatePem, chainPem: certificatePem + this.caPem };
  }
}

/** SHA-256 of a certificate's DER, as hex. */
export function hashOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

function found(privateKey: KeyObject, trustDomain: string, nowMs: number): string {
  const names: CertificateNames = {
    // The time makes the names of two clusters' authorities differ, so that they are not taken for one another.
    commonName: `selvage-ca@${Math.floor(nowMs / 1000)}`,
    uris: [`spiffe://${trustDomain}`],
  };
  return createCertificate(
    {
      names,
      publicKey: createPublicKey(privateKey),
      role: { authority: true },
      notBeforeMs: nowMs - caSkewMs,
      notAfterMs: nowMs + caLifetimeMs,
    },
    { subject: encodeSubject(names), privateKey },
  );
}

function newPrivateKeyPem(): string {
  return pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}

function pemOf(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function readPrivateKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function readCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): StatusError {
  return new StatusError(
    'InternalError',
    `${path} cannot be read: ${messageOf(cause)}. Restore it from a backup.`,
    { cause },
  );
}
