import { list, object, oneOf, refine, required, string, type TypeOf } from '../schema.ts';
import { labelSelector } from './meta.ts';
import { ruleWithOperations } from './webhook.ts';

const group = 'io.k8s.api.admissionregistration.v1';

const namedRule = object(`${group}.NamedRuleWithOperations`, {
  ...ruleWithOperations.fields,
  resourceNames: list(string(), { doc: 'Only objects with these names.' }),
});
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

export const paramKind = object(`${group}.ParamKind`, {
  apiVersion: required(string({ doc: 'The API version of the parameters.' })),
  kind: required(string({ doc: 'Their kind.' })),
});

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
