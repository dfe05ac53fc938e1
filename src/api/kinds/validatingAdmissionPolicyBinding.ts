import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { matchResources, type ParamRef, paramRef } from '../parts/admissionPolicy.ts';
import { object, oneOf, refine, setList, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const group = 'io.k8s.api.admissionregistration.v1';

export const validatingAdmissionPolicyBindingSpec = object(
  `${group}.ValidatingAdmissionPolicyBindingSpec`,
  {
    matchResources: refine(matchResources, { doc: 'Which of the writes that the policy matches are meant.' }),
    paramRef: refine(paramRef, { doc: "The policy's parameters." }),
    policyName: string({ doc: 'The policy.' }),
    validationActions: setList(oneOf(['Deny', 'Warn', 'Audit'] as readonly string[]), {
      doc: 'What a failed validation does.',
      mergeKey: undefined,
      check(actions, at, report) {
        if (!actions.includes('Deny') || !actions.includes('Warn')) return;
        const why =
          'repeating the same validation failure information in the API response and headers serves no purpose';
        report.invalid(at, actions, `must not contain both Deny and Warn (${why})`);
      },
    }),
  },
  {
    check({ policyName, validationActions = [] }, at, report) {
      if (!policyName) report.required(at.child('policyName'));
      if (validationActions.length === 0) report.required(at.child('validationActions'));
    },
  },
);

const schema = kindSchema(
  `${group}.ValidatingAdmissionPolicyBinding`,
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding' },
  { spec: validatingAdmissionPolicyBindingSpec },
  'ValidatingAdmissionPolicyBinding puts a policy to use, with parameters.',
);

export interface ValidatingAdmissionPolicyBinding extends ObjectOf<typeof schema> {}

export const validatingAdmissionPolicyBinding = defineKind<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  namespaced: false,
  countsGenerations: true,
  categories: ['api-extensions'],
  schema,
  check({ spec }, report, root) {
    if (!spec) report.required(root.child('spec'));
  },
  columns: [
    nameColumn,
    { name: 'PolicyName', doc: 'The policy.', value: ({ spec }) => spec?.policyName ?? '' },
    { name: 'ParamRef', doc: 'Its parameters.', value: ({ spec }) => paramText(spec?.paramRef) },
    ageColumn,
  ],
});

function paramText(ref: ParamRef | undefined): string {
  if (!ref) return '<unset>';
  return ref.name === undefined
    ? '*'
    : ref.namespace === undefined
      ? ref.name
      : `${ref.namespace}/${ref.name}`;
}
