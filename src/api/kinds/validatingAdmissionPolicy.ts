import { cel } from '../custom/cel.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { matchResources, paramKind } from '../parts/admissionPolicy.ts';
import { condition } from '../parts/meta.ts';
import { matchCondition } from '../parts/webhook.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { integer, keyedList, list, object, oneOf, refine, required, string, type TypeOf } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const group = 'io.k8s.api.admissionregistration.v1';

const validation = object(`${group}.Validation`, {
  expression: required(string({ doc: 'A CEL expression that must be true.' })),
  message: string({ doc: 'What is said when it is not.' }),
  messageExpression: string({ doc: 'A CEL expression of that text.' }),
  reason: oneOf(['Unauthorized', 'Forbidden', 'Invalid', 'RequestEntityTooLarge'], {
    doc: 'The reason of the answer.',
  }),
});
export type Validation = TypeOf<typeof validation>;

const auditAnnotation = object(`${group}.AuditAnnotation`, {
  key: required(string({ doc: 'Its key, after the name of the policy.' })),
  valueExpression: required(string({ doc: 'A CEL expression of its text, or null for none.' })),
});

const variable = object(`${group}.Variable`, {
  name: required(string({ doc: 'Its name: `variables.name`.' })),
  expression: required(string({ doc: 'A CEL expression, evaluated at the first use.' })),
});

const conditionsMax = 64;
const auditAnnotationsMax = 20;

const uncheckedSpec = object(`${group}.ValidatingAdmissionPolicySpec`, {
  auditAnnotations: list(auditAnnotation, { doc: 'What is noted for the audit log.' }),
  failurePolicy: oneOf(['Fail', 'Ignore'], {
    doc: 'What becomes of a write when the policy cannot be evaluated.',
    default: 'Fail',
  }),
  matchConditions: keyedList(['name'], matchCondition, {
    doc: 'What must be true of a write beside the rules.',
  }),
  matchConstraints: refine(matchResources, { doc: 'Which writes the policy is about.' }),
  paramKind: refine(paramKind, { doc: 'What kind its parameters are.' }),
  validations: list(validation, { doc: 'What must be true.' }),
  variables: keyedList(['name'], variable, { doc: 'Parts of expressions by name, in their order.' }),
});
export type ValidatingAdmissionPolicySpec = TypeOf<typeof uncheckedSpec>;
export const validatingAdmissionPolicySpec = refine(uncheckedSpec, { check: checkSpec });

const status = object(`${group}.ValidatingAdmissionPolicyStatus`, {
  conditions: keyedList(['type'], condition, { doc: 'How the policy is.', mergeKey: undefined }),
  observedGeneration: integer({ doc: 'The generation that was looked at.' }),
  typeChecking: refine(
    object(`${group}.TypeChecking`, {
      expressionWarnings: list(
        object(`${group}.ExpressionWarning`, {
          fieldRef: required(string({ doc: 'The expression.' })),
          warning: required(string({ doc: 'What may be wrong.' })),
        }),
        { doc: 'What may be wrong with the expressions.' },
      ),
    }),
    { doc: 'What the type check found.' },
  ),
});

const schema = kindSchema(
  `${group}.ValidatingAdmissionPolicy`,
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' },
  { spec: validatingAdmissionPolicySpec, status },
  'ValidatingAdmissionPolicy says in CEL which writes are admitted.',
);

export interface ValidatingAdmissionPolicy extends ObjectOf<typeof schema> {}

export const validatingAdmissionPolicy = defineKind<ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  namespaced: false,
  categories: ['api-extensions'],
  schema,
  subresources: { status: true },
  check({ spec }, report, root) {
    if (!spec) report.required(root.child('spec'));
  },
  columns: [
    nameColumn,
    {
      name: 'Validations',
      type: 'integer',
      doc: 'How many.',
      value: ({ spec }) => spec?.validations?.length ?? 0,
    },
    {
      name: 'ParamKind',
      doc: 'What its parameters are.',
      value: ({ spec }) =>
        spec?.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : '<unset>',
    },
    ageColumn,
  ],
});

function checkSpec(spec: Partial<ValidatingAdmissionPolicySpec>, at: Path, report: Report): void {
  const { validations = [], auditAnnotations = [], matchConditions = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    report.required(
      at.child('validations'),
      'validations or auditAnnotations must contain at least one item',
    );
    report.required(
      at.child('auditAnnotations'),
      'validations or auditAnnotations must contain at least one item',
    );
  }
  if (!spec.matchConstraints) report.required(at.child('matchConstraints'));
  else if ((spec.matchConstraints.resourceRules ?? []).length === 0) {
    report.required(at.child('matchConstraints').child('resourceRules'));
  }
  if (auditAnnotations.length > auditAnnotationsMax) {
    const what = `must not have more than ${auditAnnotationsMax} auditAnnotations`;
    report.invalid(at.child('auditAnnotations'), auditAnnotations.length, what);
  }
  if (matchConditions.length > conditionsMax)
    report.tooMany(at.child('matchConditions'), matchConditions.length, conditionsMax);
  checkExpressions(spec, at, report);
}

/** Compiles every expression as admission will. */
function checkExpressions(spec: Partial<ValidatingAdmissionPolicySpec>, at: Path, report: Report): void {
  const { compileForAdmission, formatType } = cel();
  const hasParams = spec.paramKind !== undefined;
  const variables: Record<string, ReturnType<typeof compileForAdmission>['type']> = {};
  const check = (path: Path, expression: string | undefined, hasAuthorizer: boolean, wanted: string[]) => {
    if (expression === undefined || expression === '') return undefined;
    try {
      const program = compileForAdmission(expression, { hasParams, hasAuthorizer, variables });
      const type = formatType(program.type);
      if (wanted.length === 0 || type === 'dyn' || wanted.includes(type)) return program;
      const what = wanted.length === 1 ? wanted[0] : `one of [${wanted.join(' ')}]`;
      report.invalid(path, expression, `must evaluate to ${what}`);
    } catch (error) {
      report.invalid(path, expression, `compilation failed: ${(error as Error).message}`);
    }
    return undefined;
  };
  for (const [index, { name, expression }] of (spec.variables ?? []).entries()) {
    const program = check(at.child('variables').index(index).child('expression'), expression, true, []);
    if (program && name !== undefined) variables[name] = program.type;
  }
  for (const [index, each] of (spec.matchConditions ?? []).entries()) {
    check(at.child('matchConditions').index(index).child('expression'), each.expression, true, ['bool']);
  }
  for (const [index, each] of (spec.validations ?? []).entries()) {
    const path = at.child('validations').index(index);
    check(path.child('expression'), each.expression, true, ['bool']);
    check(path.child('messageExpression'), each.messageExpression, false, ['string']);
    if (each.message?.includes('\n'))
      report.invalid(path.child('message'), each.message, 'message must not contain line breaks');
  }
  for (const [index, each] of (spec.auditAnnotations ?? []).entries()) {
    const path = at.child('auditAnnotations').index(index).child('valueExpression');
    check(path, each.valueExpression, false, ['string', 'null']);
  }
}
