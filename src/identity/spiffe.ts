import { X509Certificate } from 'node:crypto';
import { StatusError } from '../base/errors.ts';
import { readCertificateNames } from './certificate.ts';

/** Who a SPIFFE id names: a pod by its service account, or a node. */
export type SpiffeId =
  | { kind: 'workload'; trustDomain: string; namespace: string; serviceAccount: string }
  | { kind: 'node'; trustDomain: string; node: string };

const segment = '[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?';
const workloadPattern = new RegExp(`^spiffe://([a-z0-9._-]+)/ns/(${segment})/sa/(${segment})$`);
const nodePattern = new RegExp(`^spiffe://([a-z0-9._-]+)/node/(${segment})$`);

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` as Istio writes it, or `…/node/<name>`. */
export function formatSpiffeId(id: SpiffeId): string {
  const path = id.kind === 'workload' ? `ns/${id.namespace}/sa/${id.serviceAccount}` : `node/${id.node}`;
  const text = `spiffe://${id.trustDomain}/${path}`;
  if (parseSpiffeId(text)) return text;
  throw new StatusError(
    'Invalid',
    `"${text}" is not a valid SPIFFE id: names are lower case, digits, "-" and ".".`,
  );
}

/** Undefined for anything but the two forms that `formatSpiffeId` writes. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  const workload = workloadPattern.exec(text);
  if (workload) {
    const [, trustDomain = '', namespace = '', serviceAccount = ''] = workload;
    return { kind: 'workload', trustDomain, namespace, serviceAccount };
  }
  const [, trustDomain, node] = nodePattern.exec(text) ?? [];
  return trustDomain && node ? { kind: 'node', trustDomain, node } : undefined;
}

/** The SPIFFE ids in a certificate (an X509Certificate, PEM or DER). */
export function spiffeIdsOf(certificate: X509Certificate | string | Uint8Array): string[] {
  const source = certificate instanceof X509Certificate ? certificate.raw : certificate;
  return readCertificateNames(source).uris.filter((uri) => uri.startsWith('spiffe://'));
}

/**
 * Checks who answers at the other end of a TLS connection, after TLS has verified the chain. For
 * `tls.connect({ checkServerIdentity: (_, certificate) => checkSpiffePeer(certificate.raw, expected) })`: an Error
 * refuses the peer. The SPIFFE standard asks for exactly one id in a certificate that names a workload.
 */
export function checkSpiffePeer(
  certificate: X509Certificate | string | Uint8Array,
  expected: readonly string[],
): Error | undefined {
  const ids = spiffeIdsOf(certificate);
  if (ids.length === 1 && expected.includes(ids[0]!)) return undefined;
  const seen = ids.length > 0 ? ids.join(', ') : 'no SPIFFE id';
  return new StatusError(
    'Forbidden',
    `The peer presented ${seen}; expected ${expected.length > 0 ? expected.join(' or ') : 'no peer at all'}.`,
  );
}
