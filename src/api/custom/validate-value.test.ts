import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Correlated } from './correlate.ts';
import { formatCheck } from './formats.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateValue } from './validate-value.ts';

const texts = (schema: JsonSchema, value: unknown, previous?: unknown) => {
  const correlated = previous === undefined ? undefined : new Correlated(schema, value, previous);
  return validateValue(schema, value, { correlated }).map(({ field, message }) => `${field}: ${message}`);
};
const spec = (schema: JsonSchema): JsonSchema => ({ type: 'object', properties: { spec: schema } });

for (const [name, schema, value, expected] of [
  [
    'a wrong type',
    { type: 'integer' },
    'x',
    'Invalid value: "string": spec in body must be of type integer: "string"',
  ],
  [
    'a fraction',
    { type: 'integer' },
    1.5,
    'Invalid value: "number": spec in body must be of type integer: "number"',
  ],
  ['a null', { type: 'string' }, null, 'Invalid value: "null": spec in body must be of type string: "null"'],
  [
    'too little',
    { type: 'integer', minimum: 1 },
    0,
    'Invalid value: 0: spec in body should be greater than or equal to 1',
  ],
  [
    'a bound itself',
    { type: 'number', maximum: 1, exclusiveMaximum: true },
    1,
    'Invalid value: 1: spec in body should be less than 1',
  ],
  [
    'no multiple',
    { type: 'number', multipleOf: 0.01 },
    0.015,
    'Invalid value: 0.015: spec in body should be a multiple of 0.01',
  ],
  [
    'a short text',
    { type: 'string', minLength: 2 },
    'é',
    'Invalid value: "é": spec in body should be at least 2 chars long',
  ],
  ['a long text', { type: 'string', maxLength: 1 }, 'ab', 'Too long: may not be more than 1 bytes'],
  [
    'another pattern',
    { type: 'string', pattern: '^a+$' },
    'b',
    'Invalid value: "b": spec in body should match \'^a+$\'',
  ],
  [
    'no choice',
    { type: 'string', enum: ['b', 'a'] },
    'c',
    'Unsupported value: "c": supported values: "b", "a"',
  ],
  [
    'another format',
    { type: 'string', format: 'ipv4' },
    '::1',
    'Invalid value: "::1": spec in body must be of type ipv4: "::1"',
  ],
  [
    'few items',
    { type: 'array', minItems: 1 },
    [],
    'Invalid value: 0: spec in body should have at least 1 items',
  ],
  ['many items', { type: 'array', maxItems: 1 }, [1, 2], 'Too many: 2: must have at most 1 items'],
  ['many members', { type: 'object', maxProperties: 0 }, { a: 1 }, 'Too many: 1: must have at most 0 items'],
  [
    'no number or text',
    { 'x-kubernetes-int-or-string': true },
    true,
    'Invalid value: "boolean": spec in body must be of type integer,string: "boolean"',
  ],
] as [string, JsonSchema, unknown, string][]) {
  test(`${name} is told in the words of Kubernetes`, () => {
    assert.deepEqual(texts(spec(schema), { spec: value }), [`spec: ${expected}`]);
  });
}

test('what is missing, deep inside, is told where it should be', () => {
  const schema = spec({
    type: 'array',
    items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
  });
  assert.deepEqual(texts(schema, { spec: [{ name: 'a' }, {}] }), ['spec[1].name: Required value']);
});

test('values of a map are checked by the schema of its values', () => {
  const schema = spec({ type: 'object', additionalProperties: { type: 'integer' } });
  assert.deepEqual(texts(schema, { spec: { a: 1, b: 'x' } }), [
    'spec.b: Invalid value: "string": spec.b in body must be of type integer: "string"',
  ]);
});

test('combinations of schemas tell what did not hold', () => {
  const schema = spec({
    type: 'object',
    properties: { a: { type: 'string' }, b: { type: 'string' } },
    oneOf: [{ required: ['a'] }, { required: ['b'] }],
    not: { required: ['c'] },
  });
  assert.deepEqual(texts(schema, { spec: { a: 'x' } }), []);
  assert.deepEqual(texts(schema, { spec: { a: 'x', b: 'y', c: 1 } }), [
    '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    '<nil>: Invalid value: "": "spec" must not validate the schema (not)',
  ]);
  assert.match(texts(schema, { spec: {} })[0]!, /Found none valid$/);
});

test('what did not change in an update may stay as wrong as it was', () => {
  const schema = spec({
    type: 'object',
    properties: {
      old: { type: 'integer', maximum: 1 },
      list: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: {
          type: 'object',
          properties: { name: { type: 'string' }, n: { type: 'integer', maximum: 1 } },
        },
      },
      plain: { type: 'array', items: { type: 'integer', maximum: 1 } },
    },
  });
  const before = { spec: { old: 5, list: [{ name: 'a', n: 5 }], plain: [5] } };
  assert.equal(texts(schema, before).length, 3);
  assert.deepEqual(texts(schema, before, structuredClone(before)), []);
  const after = {
    spec: {
      old: 5,
      list: [
        { name: 'b', n: 0 },
        { name: 'a', n: 5 },
      ],
      plain: [5, 0],
    },
  };
  assert.deepEqual(texts(schema, after, before), [
    'spec.plain[0]: Invalid value: 5: spec.plain[0] in body should be less than or equal to 1',
  ]);
  const changed = { spec: { ...before.spec, old: 6 } };
  assert.deepEqual(texts(schema, changed, before), [
    'spec.old: Invalid value: 6: spec.old in body should be less than or equal to 1',
  ]);
});

const good: Record<string, string[]> = {
  'date-time': ['2014-12-15T19:30:20.000Z', '2024-02-29T00:00:00+02:00'],
  date: ['2024-02-29'],
  email: ['a@example.com', 'A Name <a@example.com>'],
  hostname: ['example.com', 'a'],
  ipv4: ['10.0.0.1'],
  ipv6: ['::1'],
  cidr: ['10.0.0.0/8', '::/0'],
  mac: ['00:00:5e:00:53:01'],
  uuid: ['F47AC10B-58CC-4372-A567-0E02B2C3D479'],
  byte: ['aGk='],
  uri: ['https://example.com/a?b', '/path'],
  duration: ['1h30m', '22 ns'],
  hexcolor: ['#fff'],
  isbn: ['0321751043', '978-0321751041'],
  creditcard: ['4111-1111-1111-1111'],
  password: ['anything'],
};
const bad: Record<string, string[]> = {
  'date-time': ['2014-12-15', '2014-13-15T19:30:20Z'],
  date: ['2023-02-29', '2024-2-9'],
  email: ['a', 'a@'],
  hostname: ['-a', 'a..b'],
  ipv4: ['10.0.0', '010.0.0.1', '::1'],
  ipv6: ['10.0.0.1'],
  cidr: ['10.0.0.0', '10.0.0.0/33'],
  mac: ['00:00:5e:00:53'],
  uuid: ['F47AC10B-58CC-4372-A567-0E02B2C3D47'],
  byte: ['aGk'],
  uri: ['', 'no uri', 'a%zz'],
  duration: ['5', 'soon'],
  hexcolor: ['#ffff'],
  isbn: ['0321751044'],
  creditcard: ['4111-1111-1111-1112'],
};
for (const format of Object.keys(good)) {
  test(`the format ${format} is checked`, () => {
    const check = formatCheck(format)!;
    assert.deepEqual(
      good[format]!.filter((value) => !check(value)),
      [],
    );
    assert.deepEqual((bad[format] ?? []).filter(check), []);
  });
}

test('a format that Kubernetes does not know says nothing', () => {
  assert.equal(formatCheck('int32'), undefined);
  assert.equal(formatCheck('constructor'), undefined);
});
