import { certificateSigningRequest } from '../../api/addresses.ts';
import type { CertificateSigningRequest } from '../../api/kinds/certificateSigningRequest.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { StatusError } from '../../base/errors.ts';
import type { Client } from '../../client/client.ts';
import { createRequest } from '../../identity/csr.ts';
import type { CertificateNames } from '../../identity/names.ts';

/** A certificate (with its chain) and its key, PEM. */
export interface HeldCertificate {
  certificatePem: string;
  privateKeyPem: string;
}

export interface CertificateOrder {
  names: CertificateNames;
  signerName: string;
  usages: string[];
  annotations?: Record<string, string>;
}

const pollInitialMs = 25;
const pollMaxMs = 2_000;
/** A request that nobody has decided on by then is given up, and made anew later. */
export const decisionTimeoutMs = 120_000;

/**
 * Makes a key, asks the cluster for a certificate over it (certificates.k8s.io/v1) and waits for the answer.
 * `Forbidden` if it was denied, `Timeout` if nobody answered.
 */
export async function requestCertificate(
  order: CertificateOrder,
  options: { client: Client; clock: Clock; signal?: AbortSignal },
): Promise<HeldCertificate> {
  const { client, clock, signal } = options;
  const { csrPem, privateKeyPem } = createRequest(order.names);
  const created = await client.create<CertificateSigningRequest>(certificateSigningRequest, {
    metadata: { generateName: 'csr-', ...(order.annotations && { annotations: order.annotations }) },
    spec: {
      request: Buffer.from(csrPem).toString('base64'),
      signerName: order.signerName,
      usages: order.usages,
    },
  } as CertificateSigningRequest);
  const name = created.metadata!.name!;
  const deadlineMs = clock.nowMs() + decisionTimeoutMs;
  let found = created;
  for (let delayMs = pollInitialMs; ; delayMs = Math.min(delayMs * 2, pollMaxMs)) {
    const certificatePem = decided(found);
    if (certificatePem) return { certificatePem, privateKeyPem };
    if (clock.nowMs() >= deadlineMs) break;
    await sleep(clock, delayMs, signal);
    signal?.throwIfAborted();
    found = await client.get(certificateSigningRequest, { name });
  }
  throw new StatusError(
    'Timeout',
    `certificate request ${name} was not decided on within ${decisionTimeoutMs / 1000} s; see: kubectl describe csr ${name}`,
  );
}

function decided({ metadata, status }: CertificateSigningRequest): string | undefined {
  const refusal = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed');
  if (refusal) {
    const why = refusal.message ?? refusal.reason ?? 'no reason given';
    throw new StatusError(
      'Forbidden',
      `certificate request ${metadata?.name} was ${refusal.type.toLowerCase()}: ${why}`,
    );
  }
  return status?.certificate && Buffer.from(status.certificate, 'base64').toString('utf8');
}
