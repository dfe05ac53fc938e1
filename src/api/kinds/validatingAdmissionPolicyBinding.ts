import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { matchResources, paramRef } from '../parts/admissionPolicy.ts';
import { object, oneOf, refine, required, setList, string } from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const group = 'io.k8s.api.admissionregistration.v1';

export const validatingAdmissionPolicyBindingSpec = object(`${group}.ValidatingAdmissionPolicyBindingSpec`, {
  matchResources: refine(matchResources, { doc: 'Which of the writes that the policy matches are meant.' }),
  paramRef: refine(paramRef, { doc: "The policy's parameters." }),
  policyName: required(string({ doc: 'The policy.' })),
  validationActions: required(
    setList(oneOf(['Deny', 'Warn', 'Audit'] as readonly string[]), {
      doc: 'What a failed validation does.',
      check(actions, at, report) {
        if (actions.includes('Deny') && actions.includes('Warn')) {
          report.invalid(
            at,
            actions,
            'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
          );
        }
      },
    }),
  ),
});

const schema = kindSchema(
  `${group}.ValidatingAdmissionPolicyBinding`,
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding' },
  { spec: required(validatingAdmissionPolicyBindingSpec) },
  'ValidatingAdmissionPolicyBinding puts a policy to use, with parameters.',
);

export interface ValidatingAdmissionPolicyBinding extends ObjectOf<typeof schema> {}

export const validatingAdmissionPolicyBinding = defineKind<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  namespaced: false,
  categories: ['api-extensions'],
  schema,
  columns: [
    nameColumn,
    { name: 'PolicyName', doc: 'The policy.', value: ({ spec }) => spec.policyName },
    { name: 'ParamRef', doc: 'Its parameters.', value: ({ spec }) => paramText(spec.paramRef) },
    ageColumn,
  ],
});

function paramText(ref: ValidatingAdmissionPolicyBinding['spec']['paramRef']): string {
  if (!ref) return '<unset>';
  return ref.name === undefined
    ? '*'
    : ref.namespace === undefined
      ? ref.name
      : `${ref.namespace}/${ref.name}`;
}
