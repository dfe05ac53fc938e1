import { defineKind, type KindDefinition, kindSchema } from '../kind.ts';
import { labelSelectorRequirement } from '../parts/meta.ts';
import { boolean, list, map, object, refine, required, type Schema, string } from '../schema.ts';

/*
 * Questions that are answered and not stored: who somebody is, and what they may do. They are declared for what
 * clients read of them: `kubectl explain`, and protobuf.
 */

const inAuthentication = <N extends string>(type: N) => `io.k8s.api.authentication.v1.${type}` as const;
const inAuthorization = <N extends string>(type: N) => `io.k8s.api.authorization.v1.${type}` as const;

const userInfo = object(inAuthentication('UserInfo'), {
  extra: map(list(string()), { doc: 'More that is known of the user.' }),
  groups: list(string(), { doc: 'The groups that the user is in.' }),
  uid: string({ doc: 'Tells the user from others of the same name.' }),
  username: string({ doc: "The user's name." }),
});

const fieldSelectorRequirement = object('io.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement', {
  key: required(string({ doc: 'The field.' })),
  operator: required(string({ doc: 'In, NotIn, Exists or DoesNotExist.' })),
  values: list(string(), { doc: 'What In and NotIn compare with.' }),
});

const resourceAttributes = object(inAuthorization('ResourceAttributes'), {
  fieldSelector: object(inAuthorization('FieldSelectorAttributes'), {
    rawSelector: string({ doc: 'The selector as text.' }),
    requirements: list(fieldSelectorRequirement, { doc: 'The selector in parts.' }),
  }),
  group: string({ doc: "The resource's API group; '*' is all." }),
  labelSelector: object(inAuthorization('LabelSelectorAttributes'), {
    rawSelector: string({ doc: 'The selector as text.' }),
    requirements: list(labelSelectorRequirement, { doc: 'The selector in parts.' }),
  }),
  name: string({ doc: 'The one object that is asked about; all if empty.' }),
  namespace: string({ doc: 'The namespace; all, or none, if empty.' }),
  resource: string({ doc: "The resource, e.g. pods; '*' is all." }),
  subresource: string({ doc: 'Its subresource.' }),
  verb: string({ doc: 'get, list, watch, create, update, patch, delete, …' }),
  version: string({ doc: "The resource's version; '*' is all." }),
});

const nonResourceAttributes = object(inAuthorization('NonResourceAttributes'), {
  path: string({ doc: "The URL's path." }),
  verb: string({ doc: 'The HTTP method, in small letters.' }),
});

const accessStatus = object(inAuthorization('SubjectAccessReviewStatus'), {
  allowed: required(boolean({ doc: 'Whether it may be done.' })),
  denied: boolean({ doc: 'Whether it is forbidden whatever others say.' }),
  evaluationError: string({ doc: 'What went wrong while it was looked at.' }),
  reason: string({ doc: 'Why.' }),
});

const what = { nonResourceAttributes, resourceAttributes };
const subject = {
  extra: map(list(string()), { doc: 'More that is known of the user.' }),
  groups: list(string(), { doc: 'The groups that the user is in.' }),
  uid: string({ doc: 'Tells the user from others of the same name.' }),
  user: string({ doc: "The user's name." }),
};
const subjectSpec = object(inAuthorization('SubjectAccessReviewSpec'), { ...what, ...subject });
const ownSpec = object(inAuthorization('SelfSubjectAccessReviewSpec'), what);

const rulesStatus = object(inAuthorization('SubjectRulesReviewStatus'), {
  evaluationError: string({ doc: 'What went wrong while it was looked at.' }),
  incomplete: required(boolean({ doc: 'Whether there may be more.' })),
  nonResourceRules: required(
    list(
      object(inAuthorization('NonResourceRule'), {
        nonResourceURLs: list(string(), { doc: 'Paths.' }),
        verbs: required(list(string(), { doc: 'What may be done.' })),
      }),
      { doc: 'What may be done with paths that are no resources.' },
    ),
  ),
  resourceRules: required(
    list(
      object(inAuthorization('ResourceRule'), {
        apiGroups: list(string(), { doc: 'API groups.' }),
        resourceNames: list(string(), { doc: 'Objects; all if empty.' }),
        resources: list(string(), { doc: 'Resources.' }),
        verbs: required(list(string(), { doc: 'What may be done.' })),
      }),
      { doc: 'What may be done with resources.' },
    ),
  ),
});

const tokenReviewStatus = object(inAuthentication('TokenReviewStatus'), {
  audiences: list(string(), { doc: 'For whom, of those that were asked about, the token is.' }),
  authenticated: boolean({ doc: 'Whether it is known.' }),
  error: string({ doc: 'Why it could not be looked at.' }),
  user: refine(userInfo, { doc: 'Whose it is.' }),
});

/** The kinds that `/apis/authentication.k8s.io/v1` and `/apis/authorization.k8s.io/v1` answer. */
export const reviewDefinitions: KindDefinition[] = [
  review('authentication.k8s.io', 'SelfSubjectReview', 'SelfSubjectReview asks who the caller is.', {
    status: object(inAuthentication('SelfSubjectReviewStatus'), { userInfo }),
  }),
  review('authentication.k8s.io', 'TokenReview', 'TokenReview asks whose a token is.', {
    spec: required(
      object(inAuthentication('TokenReviewSpec'), {
        audiences: list(string(), { doc: 'For whom the token has to be; for this server if empty.' }),
        token: string({ doc: 'The token.' }),
      }),
    ),
    status: tokenReviewStatus,
  }),
  review(
    'authorization.k8s.io',
    'LocalSubjectAccessReview',
    'LocalSubjectAccessReview asks what a user may do in a namespace.',
    {
      spec: required(subjectSpec),
      status: accessStatus,
    },
  ),
  review(
    'authorization.k8s.io',
    'SelfSubjectAccessReview',
    'SelfSubjectAccessReview asks what the caller may do.',
    {
      spec: required(ownSpec),
      status: accessStatus,
    },
  ),
  review(
    'authorization.k8s.io',
    'SelfSubjectRulesReview',
    'SelfSubjectRulesReview asks for all that the caller may do in a namespace.',
    {
      spec: required(
        object(inAuthorization('SelfSubjectRulesReviewSpec'), {
          namespace: string({ doc: 'The namespace.' }),
        }),
      ),
      status: rulesStatus,
    },
  ),
  review('authorization.k8s.io', 'SubjectAccessReview', 'SubjectAccessReview asks what a user may do.', {
    spec: required(subjectSpec),
    status: accessStatus,
  }),
];

function review(
  group: 'authentication.k8s.io' | 'authorization.k8s.io',
  kind: string,
  doc: string,
  fields: Record<string, Schema<unknown>>,
): KindDefinition {
  const name = `io.k8s.api.${group.split('.')[0]}.v1.${kind}`;
  return defineKind({
    group,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    namespaced: kind.startsWith('Local'),
    verbs: ['create'],
    schema: kindSchema(name, { apiVersion: `${group}/v1`, kind }, fields, doc),
  });
}
