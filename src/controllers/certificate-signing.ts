import {
  type CertificateSigningRequest,
  type CertificateSigningRequestCondition,
  certificateSigningRequest as requestKind,
} from '../api/kinds/certificateSigningRequest.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { toTime } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { parseRequest } from '../identity/csr.ts';
import { type Decision, decide, isApproved, type SigningTerms } from './certificate-signing/decide.ts';
import { type Context, runController, source } from './controller.ts';

/** A request is of use until its certificate has been fetched; nodes ask anew when they need another. */
export const answeredKeptMs = 60 * 60_000;
export const unansweredKeptMs = 24 * 60 * 60_000;

export interface CertificateSigner {
  readonly trustDomain: string;
  sign(csrPem: string, terms: SigningTerms): { certificatePem: string };
}

/** Answers the certificate requests of nodes, for themselves and for their pods, and signs those of users that are approved. */
export function run(context: Context, options: { authority: CertificateSigner }): Running {
  const { client, clock, informers } = context;
  const { authority } = options;
  const [requests, pods] = [informers.of(requestKind), informers.of(podKind)];

  async function reconcile(name: string): Promise<number | undefined> {
    const request = requests.get(name);
    if (!request) return undefined;
    const remainingMs = keepMs(request) - (clock.nowMs() - (createdMs(request) ?? clock.nowMs()));
    if (remainingMs <= 0) {
      await client.delete(requestKind, { name }).catch((error: unknown) => {
        if (!isStatus(error, 'NotFound')) throw error;
      });
      return undefined;
    }
    if (!isAnswered(request)) await answer(request);
    return remainingMs;
  }

  async function answer(request: CertificateSigningRequest): Promise<void> {
    const csrPem = Buffer.from(request.spec.request, 'base64').toString('utf8');
    const decision = await judge(request, csrPem);
    if ('ignored' in decision) return;
    if ('denied' in decision || 'failed' in decision) {
      await refuse(request, decision);
      return;
    }
    const approval = { reason: 'AutoApproved', message: 'The requester may have this certificate.' };
    const judged = isApproved(request)
      ? request
      : await client.update(requestKind, withCondition(request, 'Approved', approval), {
          subresource: 'approval',
        });
    const { certificatePem } = authority.sign(csrPem, decision.terms);
    const certificate = Buffer.from(certificatePem).toString('base64');
    await client.update(
      requestKind,
      { ...judged, status: { ...judged.status, certificate } },
      { subresource: 'status' },
    );
  }

  async function refuse(
    request: CertificateSigningRequest,
    decision: { denied: string } | { failed: string },
  ): Promise<void> {
    if ('denied' in decision) {
      const why = { reason: 'RequesterOrNamesRefused', message: decision.denied };
      await client.update(requestKind, withCondition(request, 'Denied', why), { subresource: 'approval' });
    } else {
      const why = { reason: 'SignerValidationFailure', message: decision.failed };
      await client.update(requestKind, withCondition(request, 'Failed', why), { subresource: 'status' });
    }
  }

  function withCondition(
    request: CertificateSigningRequest,
    type: CertificateSigningRequestCondition['type'],
    why: { reason: string; message: string },
  ): CertificateSigningRequest {
    const now = toTime(clock.nowMs());
    const others = (request.status?.conditions ?? []).filter((condition) => condition.type !== type);
    const condition = { type, status: 'True' as const, ...why, lastUpdateTime: now, lastTransitionTime: now };
    return { ...request, status: { ...request.status, conditions: [...others, condition] } };
  }

  async function judge(request: CertificateSigningRequest, csrPem: string): Promise<Decision> {
    const annotations = request.metadata?.annotations ?? {};
    const namespace = annotations['selvage.dev/pod-namespace'];
    const name = annotations['selvage.dev/pod-name'] ?? '';
    // A node asks as soon as it sees a pod of its own, which may be before our cache has it bound.
    const cached = namespace ? pods.get(`${namespace}/${name}`) : undefined;
    const isFresh = cached?.spec?.nodeName && cached.metadata?.uid === annotations['selvage.dev/pod-uid'];
    const pod = isFresh || !namespace ? cached : await livePod(namespace, name);
    try {
      return decide(request, parseRequest(csrPem), { trustDomain: authority.trustDomain, podOf: () => pod });
    } catch (error) {
      if (isStatus(error, 'BadRequest') || isStatus(error, 'Invalid')) return { denied: messageOf(error) };
      throw error;
    }
  }

  async function livePod(namespace: string, name: string) {
    try {
      return await client.get(podKind, { namespace, name });
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  return runController(context, {
    name: 'certificate-signing',
    sources: [
      source(requestKind, ({ type, key }) => (type === 'deleted' ? [] : [key])),
      source(podKind, () => []),
    ],
    reconcile,
  });
}

/** Signed or refused. An approved one without certificate was cut off in between, or approved by hand. */
function isAnswered({ status }: CertificateSigningRequest): boolean {
  const isRefused = status?.conditions?.some(({ type }) => type === 'Denied' || type === 'Failed') ?? false;
  return isRefused || Boolean(status?.certificate);
}

function keepMs(request: CertificateSigningRequest): number {
  return isAnswered(request) ? answeredKeptMs : unansweredKeptMs;
}

function createdMs({ metadata }: CertificateSigningRequest): number | undefined {
  return Date.parse(metadata?.creationTimestamp ?? '') || undefined;
}
