import { randomUUID } from 'node:crypto';
import type { AdmissionRequest } from '../chain.ts';

const apiVersion = 'admission.k8s.io/v1';

/** What a webhook answers, as far as it is looked at. */
export interface AdmissionResponse {
  uid: string;
  allowed: boolean;
  status?: { code?: number; reason?: string; message?: string };
  patchType?: string;
  /** JSON patch in base64. */
  patch?: string;
  warnings?: string[];
  auditAnnotations?: Record<string, string>;
}

/** The question: `admission.k8s.io/v1` AdmissionReview. Source: the API reference of admission.k8s.io. */
export function reviewOf(request: AdmissionRequest): { uid: string; body: object } {
  const { info, object, oldObject, subresource, namespace, name, user } = request;
  const uid = randomUUID();
  const kind = kindOf(request);
  const resource = { group: info.group, version: info.version, resource: info.resource };
  const { name: username, ...rest } = user;
  // What the client asked for; it may be another version than the webhook is shown.
  const asked = request.asked ?? request;
  const { group, version, resource: plural } = asked.info;
  const body = {
    kind: 'AdmissionReview',
    apiVersion,
    request: {
      uid,
      kind,
      resource,
      ...(subresource !== undefined && { subResource: subresource }),
      requestKind: request.asked ? kindOf(asked) : kind,
      requestResource: { group, version, resource: plural },
      ...(subresource !== undefined && { requestSubResource: subresource }),
      ...(name !== '' && { name }),
      ...(namespace !== undefined && { namespace }),
      operation: request.operation,
      userInfo: { username, ...rest },
      object: object ?? null,
      oldObject: oldObject ?? null,
      dryRun: request.dryRun,
      options: request.options,
    },
  };
  return { uid, body };
}

function kindOf({ object, oldObject, info, resource }: AdmissionRequest) {
  const shown = object ?? oldObject;
  const parts = shown?.apiVersion?.split('/') ?? [];
  const [version = info.version, group = ''] = parts.reverse();
  return { group, version, kind: shown?.kind ?? resource.kind.kind };
}

/** Throws what is wrong with an answer. */
export function responseOf(answer: unknown, uid: string, mutates: boolean): AdmissionResponse {
  const review = (answer ?? {}) as {
    apiVersion?: unknown;
    kind?: unknown;
    response?: Partial<AdmissionResponse>;
  };
  if (review.kind !== 'AdmissionReview' || review.apiVersion !== apiVersion) {
    const got = `${text(review.apiVersion)}, Kind=${text(review.kind)}`;
    throw new Error(`expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${got}`);
  }
  const { response } = review;
  if (typeof response !== 'object' || response === null) throw new Error('webhook response was absent');
  if (response.uid !== uid) throw new Error(`expected response.uid="${uid}", got "${text(response.uid)}"`);
  const hasPatch = typeof response.patch === 'string' && response.patch !== '';
  if (hasPatch && !mutates) throw new Error('validating webhooks may not return a patch');
  if (hasPatch && response.patchType !== 'JSONPatch') {
    throw new Error(`expected response.patchType="JSONPatch", got "${text(response.patchType)}"`);
  }
  return { ...response, uid, allowed: response.allowed === true };
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
