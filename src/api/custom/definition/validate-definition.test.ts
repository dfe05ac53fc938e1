import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatus } from '../../../base/errors.ts';
import { decode } from '../../decode.ts';
import { defaults } from '../../defaults.ts';
import {
  type CustomResourceDefinition,
  customResourceDefinition as kind,
} from '../../kinds/customResourceDefinition.ts';
import { validate, validateCreate, validateUpdate } from '../../validate.ts';
import type { JsonSchema } from '../json-schema.ts';
import { selectableFieldsMax } from './validate-version.ts';
import { byPriority } from './versions.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests write definitions that are wrong.
type Any = any;

const version = (schema: JsonSchema, more: object = {}) => ({
  name: 'v1',
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema },
  ...more,
});
const plain: JsonSchema = { type: 'object', properties: { spec: { type: 'object' } } };

function definition(spec: object = {}, metadata: object = {}): Any {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com', ...metadata },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', kind: 'CronTab' },
      versions: [version(plain)],
      ...spec,
    },
  };
}

const read = (value: object) => defaults(kind, decode<CustomResourceDefinition>(kind, value).object);
const textOf = ({ field, message }: { field?: string; message: string }) => `${field}: ${message}`;
const faults = (value: object) => {
  const object = read(value);
  return [...validate(kind, object), ...validateCreate(kind, object)].map(textOf);
};
const schemaFaults = (schema: JsonSchema, more: object = {}) =>
  faults(definition({ versions: [version(schema, more)] })).map((text) =>
    text.replace('spec.versions[0].schema.openAPIV3Schema', 'schema'),
  );
const inSpec = (schema: JsonSchema): JsonSchema => ({ type: 'object', properties: { spec: schema } });

test('a good definition has nothing wrong, and gets the names that it leaves out', () => {
  assert.deepEqual(faults(definition()), []);
  const { spec } = read(definition());
  assert.deepEqual(spec.names, {
    plural: 'crontabs',
    kind: 'CronTab',
    singular: 'crontab',
    listKind: 'CronTabList',
  });
  assert.deepEqual(spec.conversion, { strategy: 'None' });
});

for (const [name, value, expected] of [
  [
    'another name',
    definition({}, { name: 'x.example.com' }),
    'metadata.name: Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group',
  ],
  [
    'a group of one word',
    definition({ group: 'stable' }, { name: 'crontabs.stable' }),
    'spec.group: Invalid value: "stable": should be a domain with at least one dot',
  ],
  [
    'another scope',
    definition({ scope: 'World' }),
    'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
  ],
  [
    'no storage version',
    definition({ versions: [version(plain, { storage: false })] }),
    'spec.versions: Invalid value: []string{"v1"}: must have exactly one version marked as storage version',
  ],
  [
    'a version without a schema',
    definition({ versions: [{ name: 'v1', served: true, storage: true }] }),
    'spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required',
  ],
  [
    'a kind that is its list',
    definition({ names: { plural: 'crontabs', kind: 'C', listKind: 'C' } }),
    'spec.names.listKind: Invalid value: "C": kind and listKind may not be the same',
  ],
  [
    'preserved fields',
    definition({ preserveUnknownFields: true }),
    'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
  ],
  [
    'a webhook without an address',
    definition({
      conversion: { strategy: 'Webhook', webhook: { clientConfig: {}, conversionReviewVersions: ['v1'] } },
    }),
    'spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required',
  ],
  [
    'an unknown column type',
    definition({
      versions: [version(plain, { additionalPrinterColumns: [{ name: 'a', type: 'text', jsonPath: '.a' }] })],
    }),
    'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
  ],
  [
    'a scale outside spec',
    definition({
      versions: [
        version(plain, {
          subresources: { scale: { specReplicasPath: '.n', statusReplicasPath: '.status.n' } },
        }),
      ],
    }),
    'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".n": should be a json path under .spec',
  ],
  [
    'a warning without deprecation',
    definition({ versions: [version(plain, { deprecationWarning: 'x' })] }),
    'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions',
  ],
  [
    'a selectable field that is no field',
    definition({ versions: [version(plain, { selectableFields: [{ jsonPath: '.spec.x' }] })] }),
    'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".spec.x": is an invalid path: does not refer to a valid field',
  ],
] as [string, object, string][]) {
  test(`${name} is refused in the words of Kubernetes`, () => assert.deepEqual(faults(value), [expected]));
}

for (const [name, schema, expected] of [
  ['no type at the root', { properties: {} }, 'schema.type: Required value: must not be empty at the root'],
  [
    'no type of a field',
    inSpec({}),
    'schema.properties[spec].type: Required value: must not be empty for specified object fields',
  ],
  [
    'no type of items',
    inSpec({ type: 'array', items: {} }),
    'schema.properties[spec].items.type: Required value: must not be empty for specified array items',
  ],
  [
    'a list without items',
    inSpec({ type: 'array' }),
    'schema.properties[spec].items: Required value: must be specified',
  ],
  [
    'a type in anyOf',
    inSpec({ type: 'string', anyOf: [{ type: 'string' }] }),
    'schema.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural',
  ],
  [
    'a field only in allOf',
    { ...plain, allOf: [{ properties: { a: { minimum: 1 } } }] },
    'schema.properties[a]: Required value: because it is defined in spec.versions[0].schema.openAPIV3Schema.allOf[0].properties[a]',
  ],
  [
    'unique items',
    inSpec({ type: 'array', uniqueItems: true, items: { type: 'string' } }),
    'schema.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
  ],
  [
    'properties beside additional ones',
    inSpec({
      type: 'object',
      properties: { a: { type: 'string' } },
      additionalProperties: { type: 'string' },
    }),
    'schema.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive',
  ],
  [
    'a reference',
    inSpec({ type: 'string', $ref: '#/x' }),
    'schema.properties[spec].$ref: Forbidden: $ref is not supported',
  ],
  [
    'metadata with rules',
    {
      type: 'object',
      properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
    },
    'schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
  ],
  [
    'a key that may be missing',
    inSpec({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['a'],
      items: { type: 'object', properties: { a: { type: 'string' } } },
    }),
    'schema.properties[spec].items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
  ],
  [
    'a default of another type',
    inSpec({ type: 'integer', default: 'x' }),
    'schema.properties[spec].default: Invalid value: "string": spec.versions[0].schema.openAPIV3Schema.properties[spec].default in body must be of type integer: "string"',
  ],
  [
    'a default with unknown fields',
    inSpec({ type: 'object', default: { a: 1 } }),
    'schema.properties[spec].default: Invalid value: {"a":1}: must not have unknown fields',
  ],
  ['a pattern with lookahead', inSpec({ type: 'string', pattern: '(?=a)' }), undefined],
] as [string, JsonSchema, string | undefined][]) {
  test(`${name} makes a schema that is refused in the words of Kubernetes`, () => {
    const found = schemaFaults(schema);
    assert.equal(found.length, 1, found.join('\n'));
    if (expected === undefined) assert.match(found[0]!, /must be a valid regular expression, but isn't: /);
    else if (name === 'a default of another type')
      assert.match(found[0]!, /^schema\.properties\[spec\]\.default: /);
    else assert.equal(found[0], expected);
  });
}

test('a number or a text may say so in both documented forms', () => {
  const either = [{ type: 'integer' }, { type: 'string' }];
  const mark = { 'x-kubernetes-int-or-string': true };
  assert.deepEqual(schemaFaults(inSpec({ ...mark, anyOf: either })), []);
  assert.deepEqual(schemaFaults(inSpec({ ...mark, allOf: [{ anyOf: either }, { pattern: '^a' }] })), []);
});

test('what a definition may not have any more is told by its path, deep in a schema', () => {
  const odd = definition({
    versions: [
      version(inSpec({ type: 'object', properties: { a: { type: 'string', typo: 1 } as JsonSchema } })),
    ],
  });
  const { warnings } = decode(kind, odd);
  assert.deepEqual(warnings, [
    'unknown field "spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.a.typo"',
  ]);
  assert.throws(
    () => decode(kind, odd, { fieldValidation: 'Strict' }),
    (error) => isStatus(error, 'BadRequest'),
  );
});

test("groups of Kubernetes' community need an approval", () => {
  const own = (annotations: object) =>
    definition({ group: 'x.k8s.io' }, { name: 'crontabs.x.k8s.io', annotations });
  assert.match(
    faults(own({}))[0]!,
    /^metadata\.annotations\[api-approved\.kubernetes\.io\]: Required value: protected groups must have approval annotation/,
  );
  assert.deepEqual(faults(own({ 'api-approved.kubernetes.io': 'unapproved, for a test' })), []);
  assert.deepEqual(faults(own({ 'api-approved.kubernetes.io': 'https://github.com/x/y/pull/1' })), []);
});

test('an established definition keeps its kind and its scope', () => {
  const before = read(definition());
  before.status = { storedVersions: ['v1'], conditions: [{ type: 'Established', status: 'True' }] };
  const after = structuredClone(before);
  after.spec.scope = 'Cluster';
  after.spec.names.kind = 'Other';
  after.spec.group = 'other.example.com';
  const found = validateUpdate(kind, after, before).map(textOf);
  assert.deepEqual(found, [
    'spec.scope: Invalid value: "Cluster": field is immutable',
    'spec.names.kind: Invalid value: "Other": field is immutable',
    'spec.group: Invalid value: "other.example.com": field is immutable',
  ]);
});

test('versions are ordered as Kubernetes orders them', () => {
  const names = [
    'foo10',
    'v1alpha1',
    'v2beta1',
    'v10',
    'v1',
    'v3beta1',
    'v11alpha2',
    'v2',
    'v12alpha1',
    'foo1',
    'v10beta3',
  ];
  assert.deepEqual(names.sort(byPriority), [
    'v10',
    'v2',
    'v1',
    'v10beta3',
    'v3beta1',
    'v2beta1',
    'v12alpha1',
    'v11alpha2',
    'v1alpha1',
    'foo1',
    'foo10',
  ]);
});

test('no more fields are selectable than the bound', () => {
  const names = Array.from({ length: selectableFieldsMax + 1 }, (_, index) => `f${index}`);
  const properties = Object.fromEntries(names.map((field) => [field, { type: 'string' }]));
  const selectableFields = names.map((field) => ({ jsonPath: `.spec.${field}` }));
  const found = schemaFaults(inSpec({ type: 'object', properties }), { selectableFields });
  assert.deepEqual(found, ['spec.versions[0].selectableFields: Too many: 9: must have at most 8 items']);
});
