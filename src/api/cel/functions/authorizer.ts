import { boolType, opaque, stringType } from '../types.ts';
import { OpaqueValue, type Value } from '../values.ts';
import { library, memberFunction as member } from './overload.ts';

/** What an expression asks about: a path, or a resource. */
export interface AuthorizationCheck {
  /** A service account to ask for instead of the user who makes the request. */
  serviceAccount?: { namespace: string; name: string };
  verb: string;
  path?: string;
  group?: string;
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

export interface AuthorizationDecision {
  allowed: boolean;
  reason: string;
}

/** Answers what the `authorizer` of an admission expression asks. */
export type Authorize = (check: AuthorizationCheck) => AuthorizationDecision;

abstract class Step extends OpaqueValue {
  equals(other: Value): boolean {
    return other === this;
  }
}

/** The value of the variable `authorizer`. */
export class AuthorizerValue extends Step {
  readonly typeName = 'kubernetes.authorization.Authorizer';
  readonly authorize: Authorize;
  readonly check: Partial<AuthorizationCheck>;
  constructor(authorize: Authorize, check: Partial<AuthorizationCheck> = {}) {
    super();
    this.authorize = authorize;
    this.check = check;
  }
}

/** The value of `authorizer.path(…)`, `authorizer.group(…)` and of the variable `authorizer.requestResource`. */
export class CheckValue extends Step {
  readonly typeName: string;
  readonly authorize: Authorize;
  readonly check: Partial<AuthorizationCheck>;
  constructor(kind: string, authorize: Authorize, check: Partial<AuthorizationCheck>) {
    super();
    this.typeName = `kubernetes.authorization.${kind}`;
    this.authorize = authorize;
    this.check = check;
  }
}

class DecisionValue extends Step {
  readonly typeName = 'kubernetes.authorization.Decision';
  readonly decision: AuthorizationDecision;
  constructor(decision: AuthorizationDecision) {
    super();
    this.decision = decision;
  }
}

export const authorizerType = opaque('kubernetes.authorization.Authorizer');
export const resourceCheckType = opaque('kubernetes.authorization.ResourceCheck');
const pathCheck = opaque('kubernetes.authorization.PathCheck');
const groupCheck = opaque('kubernetes.authorization.GroupCheck');
const decision = opaque('kubernetes.authorization.Decision');
const text = stringType;

type Asking = AuthorizerValue | CheckValue;
const next = (kind: string, from: Asking, more: Partial<AuthorizationCheck>) =>
  new CheckValue(kind, from.authorize, { ...from.check, ...more });
const decide = ({ authorize, check }: Asking, verb: string) =>
  new DecisionValue(authorize({ ...check, verb }));
const resource = (from: Asking, more: Partial<AuthorizationCheck>) => next('ResourceCheck', from, more);

/** Kubernetes' authorization library, for admission. */
export const authorizerLibrary = library(
  member('path', 'authorizer_path', [authorizerType, text], pathCheck, (x: Asking, path: string) =>
    next('PathCheck', x, { path }),
  ),
  member('group', 'authorizer_group', [authorizerType, text], groupCheck, (x: Asking, group: string) =>
    next('GroupCheck', x, { group }),
  ),
  member(
    'serviceAccount',
    'authorizer_serviceaccount',
    [authorizerType, text, text],
    authorizerType,
    (x: Asking, namespace: string, name: string) =>
      new AuthorizerValue(x.authorize, { ...x.check, serviceAccount: { namespace, name } }),
  ),
  member(
    'resource',
    'groupcheck_resource',
    [groupCheck, text],
    resourceCheckType,
    (x: Asking, name: string) => resource(x, { resource: name }),
  ),
  member(
    'subresource',
    'resourcecheck_subresource',
    [resourceCheckType, text],
    resourceCheckType,
    (x: Asking, subresource: string) => resource(x, { subresource }),
  ),
  member(
    'namespace',
    'resourcecheck_namespace',
    [resourceCheckType, text],
    resourceCheckType,
    (x: Asking, namespace: string) => resource(x, { namespace }),
  ),
  member(
    'name',
    'resourcecheck_name',
    [resourceCheckType, text],
    resourceCheckType,
    (x: Asking, name: string) => resource(x, { name }),
  ),
  member('check', 'pathcheck_check', [pathCheck, text], decision, decide),
  member('check', 'resourcecheck_check', [resourceCheckType, text], decision, decide),
  member('allowed', 'decision_allowed', [decision], boolType, (x: DecisionValue) => x.decision.allowed),
  member('reason', 'decision_reason', [decision], text, (x: DecisionValue) => x.decision.reason),
  member('errored', 'decision_errored', [decision], boolType, () => false),
  member('error', 'decision_error', [decision], text, () => ''),
);
