import {
  validateDefinition,
  validateDefinitionCreate,
  validateDefinitionUpdate,
} from '../custom/definition/validate-definition.ts';
import { storedVersion } from '../custom/definition/versions.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { jsonSchemaProps } from '../parts/jsonSchemaProps.ts';
import {
  boolean,
  bytes,
  integer,
  keyedList,
  list,
  object,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { nameColumn } from '../table.ts';

const group = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

export const customResourceDefinitionNames = object(`${group}.CustomResourceDefinitionNames`, {
  categories: list(string(), { doc: 'Groups of kinds, such as all, that `kubectl get` takes.' }),
  kind: required(string({ doc: 'The kind, in CamelCase.' })),
  listKind: string({ doc: 'The kind of a list of them; <kind>List if left out.' }),
  plural: required(string({ doc: 'The name in the path, in lower case.' })),
  shortNames: list(string(), { doc: 'Short forms for kubectl.' }),
  singular: string({ doc: 'The name of one; the kind in lower case if left out.' }),
});
export type CustomResourceDefinitionNames = TypeOf<typeof customResourceDefinitionNames>;

const columnDefinition = object(`${group}.CustomResourceColumnDefinition`, {
  description: string({ doc: 'What the column shows.' }),
  format: string({ doc: 'How the type is to be read, such as date-time.' }),
  jsonPath: required(string({ doc: 'Where the value is, such as .spec.replicas.', mayBeEmpty: true })),
  name: required(string({ doc: "The column's name.", mayBeEmpty: true })),
  priority: integer({ doc: 'Above 0, the column shows only in wide output.' }),
  type: required(string({ doc: 'boolean, date, integer, number or string.', mayBeEmpty: true })),
});
export type CustomResourceColumnDefinition = TypeOf<typeof columnDefinition>;

const subresourceScale = object(`${group}.CustomResourceSubresourceScale`, {
  labelSelectorPath: string({ doc: 'Where the selector of the pods is, as text.' }),
  specReplicasPath: required(string({ doc: 'Where the wanted number is, below .spec.', mayBeEmpty: true })),
  statusReplicasPath: required(
    string({ doc: 'Where the actual number is, below .status.', mayBeEmpty: true }),
  ),
});

const subresources = object(`${group}.CustomResourceSubresources`, {
  scale: subresourceScale,
  status: object(
    `${group}.CustomResourceSubresourceStatus`,
    {},
    { doc: 'Whether the status is written apart.' },
  ),
});

export const customResourceDefinitionVersion = object(`${group}.CustomResourceDefinitionVersion`, {
  additionalPrinterColumns: list(columnDefinition, { doc: 'The columns of `kubectl get` after the name.' }),
  deprecated: boolean({ doc: 'Whether clients are warned.' }),
  deprecationWarning: string({ doc: 'What they are told.', mayBeEmpty: true }),
  name: required(string({ doc: 'The version, such as v1beta1.', mayBeEmpty: true })),
  schema: object(
    `${group}.CustomResourceValidation`,
    { openAPIV3Schema: refine(jsonSchemaProps, { doc: 'The schema of an object.' }) },
    { doc: 'What objects must be like.' },
  ),
  selectableFields: list(
    object(`${group}.SelectableField`, {
      jsonPath: required(string({ doc: 'A field, such as .spec.color.', mayBeEmpty: true })),
    }),
    { doc: 'What field selectors may ask for.' },
  ),
  served: required(boolean({ doc: 'Whether the API serves it.' })),
  storage: required(boolean({ doc: 'Whether objects are stored in it; so one is.' })),
  subresources: refine(subresources, { doc: 'The parts of an object that have paths of their own.' }),
});
export type CustomResourceDefinitionVersion = TypeOf<typeof customResourceDefinitionVersion>;

const serviceReference = object(`${group}.ServiceReference`, {
  name: required(string({ doc: "The Service's name.", mayBeEmpty: true })),
  namespace: required(string({ doc: 'Its namespace.', mayBeEmpty: true })),
  path: string({ doc: 'The path of the request.' }),
  port: integer({ doc: "The Service's port.", default: 443 }),
});

const conversionWebhook = object(`${group}.WebhookConversion`, {
  clientConfig: object(
    `${group}.WebhookClientConfig`,
    {
      caBundle: bytes({ doc: "The authorities of the webhook's certificate, in PEM, in base64." }),
      service: serviceReference,
      url: string({ doc: 'Where the webhook is, if it is no Service.' }),
    },
    { doc: 'How to reach it.' },
  ),
  conversionReviewVersions: required(list(string(), { doc: 'v1.', mayBeEmpty: true })),
});

const conversion = object(`${group}.CustomResourceConversion`, {
  strategy: required(string({ doc: 'None or Webhook.', mayBeEmpty: true })),
  webhook: refine(conversionWebhook, { doc: 'What converts.' }),
});
export type CustomResourceConversion = TypeOf<typeof conversion>;

const spec = object(
  `${group}.CustomResourceDefinitionSpec`,
  {
    conversion: refine(conversion, {
      doc: 'How objects turn from one version into another.',
      default: { strategy: 'None' },
    }),
    group: required(string({ doc: 'The API group.' })),
    names: required(refine(customResourceDefinitionNames, { doc: 'What the kind is called.' })),
    preserveUnknownFields: boolean({ doc: 'No longer supported.' }),
    scope: required(string({ doc: 'Cluster or Namespaced.', mayBeEmpty: true })),
    versions: required(list(customResourceDefinitionVersion, { doc: 'Its versions.', mayBeEmpty: true })),
  },
  {
    complete: ({ names }) => {
      if (!names) return;
      names.singular ||= names.kind?.toLowerCase();
      if (names.kind) names.listKind ||= `${names.kind}List`;
    },
  },
);
export type CustomResourceDefinitionSpec = TypeOf<typeof spec>;

const condition = object(`${group}.CustomResourceDefinitionCondition`, {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  status: required(string({ doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'Established, NamesAccepted or Terminating.' })),
});
export type CustomResourceDefinitionCondition = TypeOf<typeof condition>;

const status = object(`${group}.CustomResourceDefinitionStatus`, {
  acceptedNames: refine(customResourceDefinitionNames, { doc: 'The names that it is served under.' }),
  conditions: keyedList(['type'], condition, { doc: 'How far it is.', mergeKey: undefined }),
  storedVersions: list(string(), { doc: 'Versions that objects were stored in at some time.' }),
});
export type CustomResourceDefinitionStatus = TypeOf<typeof status>;

const schema = kindSchema(
  `${group}.CustomResourceDefinition`,
  { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
  {
    spec: required(refine(spec, { doc: 'What the kind is like.' })),
    status: refine(status, { doc: 'How far it is.' }),
  },
  'CustomResourceDefinition makes a kind of its own part of the API.',
);

export interface CustomResourceDefinition extends ObjectOf<typeof schema> {}

export const customResourceDefinition = defineKind<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    {
      name: 'Created At',
      type: 'date',
      doc: 'When it was created.',
      value: ({ metadata }) => metadata?.creationTimestamp ?? '',
    },
  ],
  check: validateDefinition,
  checkCreate: validateDefinitionCreate,
  checkUpdate: validateDefinitionUpdate,
});

/** The version that objects are stored in. */
export const storageVersionOf = (definition: CustomResourceDefinition): string =>
  storedVersion(definition) ?? '';
