import { list, object, oneOf, refine, string, type TypeOf } from '../schema.ts';
import { labelSelector } from './meta.ts';
import { type RuleWithOperations, ruleWithOperations } from './webhook.ts';

const group = 'io.k8s.api.admissionregistration.v1';

const namedRule = object(
  `${group}.NamedRuleWithOperations`,
  {
    ...ruleWithOperations.fields,
    apiGroups: list(string(), { doc: "API groups; '*' is all." }),
    apiVersions: list(string(), { doc: "API versions; '*' is all." }),
    operations: list(string(), { doc: "CREATE, UPDATE, DELETE, CONNECT; '*' is all." }),
    resources: list(string(), { doc: "Resources: 'pods', 'pods/status', '*', 'pods/*', '*/scale', '*/*'." }),
    resourceNames: list(string(), { doc: 'Only objects with these names.' }),
  },
  {
    check(rule, at, report) {
      for (const field of ['apiGroups', 'apiVersions', 'operations', 'resources'] as const) {
        if ((rule[field] ?? []).length === 0) report.required(at.child(field));
      }
      ruleWithOperations.check?.(rule as RuleWithOperations, at, report);
    },
  },
);
export type NamedRule = TypeOf<typeof namedRule>;

/** Which writes a policy or a binding is about. */
export const matchResources = object(`${group}.MatchResources`, {
  excludeResourceRules: list(namedRule, { doc: 'What is left out.' }),
  matchPolicy: oneOf(['Exact', 'Equivalent'], {
    doc: 'Whether requests in another version of a resource that the rules name are meant too.',
    default: 'Equivalent',
  }),
  namespaceSelector: refine(labelSelector, { doc: 'Which namespaces; all if empty.', default: {} }),
  objectSelector: refine(labelSelector, { doc: 'Which objects; all if empty.', default: {} }),
  resourceRules: list(namedRule, { doc: 'Which writes.' }),
});
export type MatchResources = TypeOf<typeof matchResources>;

export const paramKind = object(
  `${group}.ParamKind`,
  {
    apiVersion: string({ doc: 'The API version of the parameters.' }),
    kind: string({ doc: 'Their kind.' }),
  },
  {
    check({ apiVersion, kind }, at, report) {
      if (!apiVersion) report.required(at.child('apiVersion'));
      if (!kind) report.required(at.child('kind'));
    },
  },
);

export const paramRef = object(
  `${group}.ParamRef`,
  {
    name: string({ doc: 'The object.' }),
    namespace: string({ doc: "Its namespace; that of the request's object if absent." }),
    parameterNotFoundAction: oneOf(['Allow', 'Deny'], { doc: 'What becomes of a write without parameters.' }),
    selector: refine(labelSelector, { doc: 'The objects, by their labels; each must agree.' }),
  },
  {
    check(ref, at, report) {
      if ((ref.name === undefined) === (ref.selector === undefined)) {
        report.forbidden(
          at.child('name'),
          ref.name === undefined
            ? 'one of name or selector must be specified'
            : 'name and selector are mutually exclusive',
        );
      }
      if (ref.parameterNotFoundAction === undefined) report.required(at.child('parameterNotFoundAction'));
    },
  },
);
export type ParamRef = TypeOf<typeof paramRef>;
