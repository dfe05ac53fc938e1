import type { KubeObject } from '../api/object.ts';
import { toTime } from '../base/clock.ts';
import type { Attributes, Decision } from './authorization/authorize.ts';
import type { ReviewKind } from './discovery.ts';
import { isRecord } from './options.ts';
import { reviewAccess, reviewOwnAccess } from './reviews/access-review.ts';
import { type RulesFor, reviewRules } from './reviews/rules-review.ts';
import { reviewToken, type TokenReaders } from './reviews/token-review.ts';
import { userInfo } from './reviews/user-info.ts';
import type { User } from './user.ts';

const authentication = { group: 'authentication.k8s.io', version: 'v1' };
const authorization = { group: 'authorization.k8s.io', version: 'v1' };
const named = (kind: string) => ({ kind, plural: `${kind.toLowerCase()}s` });

/** Questions that are answered and not stored: `kubectl auth whoami`, `kubectl auth can-i` and what servers ask. */
export const reviewKinds: ReviewKind[] = [
  { ...authentication, ...named('SelfSubjectReview') },
  { ...authentication, ...named('TokenReview') },
  { ...authorization, ...named('LocalSubjectAccessReview'), namespaced: true },
  { ...authorization, ...named('SelfSubjectAccessReview') },
  { ...authorization, ...named('SelfSubjectRulesReview') },
  { ...authorization, ...named('SubjectAccessReview') },
];

/** Who answers. */
export interface Reviewers {
  authorize(attributes: Attributes): Decision;
  rulesFor: RulesFor;
  tokens: TokenReaders;
}

export async function review(
  { kind, group, version }: ReviewKind,
  asked: { body: unknown; namespace: string | undefined; user: User; nowMs: number },
  reviewers: Reviewers,
): Promise<KubeObject> {
  const { user, namespace, nowMs } = asked;
  const body = isRecord(asked.body) ? asked.body : {};
  const answer = async () => {
    switch (kind) {
      case 'SelfSubjectReview':
        return { metadata: { creationTimestamp: toTime(nowMs) }, status: { userInfo: userInfo(user) } };
      case 'TokenReview':
        return reviewToken(body, reviewers.tokens);
      case 'SelfSubjectRulesReview':
        return reviewRules(body, user, reviewers.rulesFor);
      case 'SelfSubjectAccessReview':
        return reviewOwnAccess(body, user, reviewers.authorize);
      case 'LocalSubjectAccessReview':
        return { metadata: { namespace }, ...reviewAccess(kind, body, namespace, reviewers.authorize) };
      default:
        return reviewAccess('SubjectAccessReview', body, undefined, reviewers.authorize);
    }
  };
  return { kind, apiVersion: `${group}/${version}`, metadata: {}, ...(await answer()) } as KubeObject;
}
