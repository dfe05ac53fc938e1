import type { KubeObject } from '../api/object.ts';
import { toTime } from '../base/clock.ts';
import type { Attributes, Decision } from './authorization/authorize.ts';
import type { ReviewKind } from './discovery.ts';
import { badRequest } from './failures.ts';
import { isRecord } from './options.ts';
import type { Verb } from './request-info.ts';
import type { User } from './user.ts';

/** Questions about oneself that are answered and not stored: `kubectl auth whoami` and `kubectl auth can-i`. */
export const reviewKinds: ReviewKind[] = [
  { group: 'authentication.k8s.io', version: 'v1', kind: 'SelfSubjectReview', plural: 'selfsubjectreviews' },
  {
    group: 'authorization.k8s.io',
    version: 'v1',
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
  },
];

export interface ReviewContext {
  user: User;
  nowMs: number;
  authorize(attributes: Attributes): Decision;
}

export function review(kind: ReviewKind, body: unknown, context: ReviewContext): KubeObject {
  const answer = { kind: kind.kind, apiVersion: `${kind.group}/${kind.version}` };
  const { user } = context;
  if (kind.kind === 'SelfSubjectReview') {
    const userInfo = { username: user.name, groups: user.groups, ...(user.uid && { uid: user.uid }) };
    return {
      ...answer,
      metadata: { creationTimestamp: toTime(context.nowMs) },
      status: { userInfo },
    } as KubeObject;
  }
  const spec = isRecord(body) && isRecord(body.spec) ? body.spec : {};
  const decision = context.authorize(attributesOf(user, spec));
  const reason = decision.allowed ? undefined : decision.reason;
  const status = { allowed: decision.allowed, ...(reason && { reason }) };
  return { ...answer, metadata: {}, spec, status } as KubeObject;
}

function attributesOf(user: User, spec: Record<string, unknown>): Attributes {
  const { resourceAttributes, nonResourceAttributes } = spec;
  const text = (from: Record<string, unknown>, field: string) => String(from[field] ?? '') || undefined;
  if (isRecord(nonResourceAttributes)) {
    const path = text(nonResourceAttributes, 'path') ?? '/';
    return { user, fieldSelector: '', path, verb: text(nonResourceAttributes, 'verb') ?? 'get' };
  }
  if (!isRecord(resourceAttributes)) {
    throw badRequest(
      'spec needs resourceAttributes or nonResourceAttributes: what is it that you want to do?',
    );
  }
  const resource = {
    // Any word may be asked about; one that is no verb is simply not allowed to most.
    verb: (text(resourceAttributes, 'verb') ?? 'get') as Verb,
    group: text(resourceAttributes, 'group') ?? '',
    version: text(resourceAttributes, 'version') ?? '',
    namespace: text(resourceAttributes, 'namespace'),
    resource: text(resourceAttributes, 'resource') ?? '',
    name: text(resourceAttributes, 'name'),
    subresource: text(resourceAttributes, 'subresource'),
  };
  return { user, fieldSelector: '', resource };
}
