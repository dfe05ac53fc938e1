import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Path } from '../path.ts';
import { Report } from '../report.ts';
import { validateRootSchema } from './definition/validate-root-schema.ts';
import { evaluateRules } from './evaluate-rules.ts';
import type { JsonSchema, ValidationRule } from './json-schema.ts';
import { validateCustom } from './validate-custom.ts';

const withRules = (rules: ValidationRule[], more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      'x-kubernetes-validations': rules,
      properties: {
        min: { type: 'integer' },
        max: { type: 'integer' },
        name: { type: 'string', maxLength: 10 },
        ...more.properties,
      },
    },
  },
});

const texts = (schema: JsonSchema, value: unknown, previous?: unknown) =>
  evaluateRules(schema, value, previous).map(({ field, message }) => `${field}: ${message}`);
const faults = (schema: JsonSchema) => {
  const report = new Report();
  validateRootSchema(schema, new Path('schema'), report, { hasStatus: false });
  return report.causes.map(({ field, message }) => `${field}: ${message}`);
};

test('a rule that does not hold is told by its message, else by itself', () => {
  const rule = 'self.min <= self.max';
  const wrong = { spec: { min: 2, max: 1 } };
  assert.deepEqual(texts(withRules([{ rule }]), wrong), [
    `spec: Invalid value: "object": failed rule: ${rule}`,
  ]);
  assert.deepEqual(texts(withRules([{ rule, message: 'min is above max' }]), wrong), [
    'spec: Invalid value: "object": min is above max',
  ]);
  const messageExpression = '"min " + string(self.min) + " is above " + string(self.max)';
  const told = {
    rule,
    message: 'not this',
    messageExpression,
    reason: 'FieldValueForbidden',
    fieldPath: '.min',
  };
  assert.deepEqual(texts(withRules([told]), wrong), ['spec.min: Forbidden: min 2 is above 1']);
  assert.deepEqual(texts(withRules([{ rule }]), { spec: { min: 1, max: 1 } }), []);
});

test('a rule that fails while it runs is told with why', () => {
  assert.deepEqual(texts(withRules([{ rule: 'self.min > 1' }]), { spec: {} }), [
    'spec: Invalid value: "object": no such key: min evaluating rule: self.min > 1',
  ]);
});

test('rules about a change hold where there was a value, or where they ask for an optional one', () => {
  const immutable = withRules([{ rule: 'self.name == oldSelf.name', message: 'name is immutable' }]);
  assert.deepEqual(texts(immutable, { spec: { name: 'a' } }), []);
  assert.deepEqual(texts(immutable, { spec: { name: 'a' } }, { spec: { name: 'a' } }), []);
  assert.deepEqual(texts(immutable, { spec: { name: 'b' } }, { spec: { name: 'a' } }), [
    'spec: Invalid value: "object": name is immutable',
  ]);
  const rule = "oldSelf.hasValue() || self.name == 'first'";
  const first = withRules([{ rule, message: 'must begin as first', optionalOldSelf: true }]);
  assert.deepEqual(texts(first, { spec: { name: 'b' } }), [
    'spec: Invalid value: "object": must begin as first',
  ]);
  assert.deepEqual(texts(first, { spec: { name: 'b' } }, { spec: { name: 'a' } }), []);
});

test('items of a keyed list are compared with what they were', () => {
  const schema = withRules([], {
    properties: {
      list: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: {
          type: 'object',
          required: ['name'],
          'x-kubernetes-validations': [{ rule: 'self.n >= oldSelf.n', message: 'n only grows' }],
          properties: { name: { type: 'string' }, n: { type: 'integer' } },
        },
      },
    },
  });
  const list = (...items: [string, number][]) => ({
    spec: { list: items.map(([name, n]) => ({ name, n })) },
  });
  assert.deepEqual(texts(schema, list(['b', 1], ['a', 2]), list(['a', 1], ['b', 2])), [
    'spec.list[0]: Invalid value: "object": n only grows',
  ]);
});

test('what did not change may stay as wrong as it was', () => {
  const schema = withRules([{ rule: 'self.min <= self.max' }]);
  const wrong = { spec: { min: 2, max: 1 } };
  assert.deepEqual(texts(schema, wrong, structuredClone(wrong)), []);
  assert.equal(texts(schema, { spec: { min: 3, max: 1 } }, wrong).length, 1);
});

test('rules are not looked at in an object that is wrong by its schema', () => {
  const schema = withRules([{ rule: 'self.min <= self.max' }]);
  const object = { spec: { min: 'x', max: 1 } };
  const causes = validateCustom({ schema, scale: undefined }, object as object, undefined);
  assert.deepEqual(
    causes.map(({ field }) => field),
    ['spec.min', '<nil>'],
  );
  assert.match(causes[1]!.message, /some validation rules were not checked because the object was invalid/);
});

test('metadata.name can be reached from the root, and special names by their escapes', () => {
  const schema: JsonSchema = {
    type: 'object',
    'x-kubernetes-validations': [
      { rule: "self.metadata.name.startsWith('x')", message: 'must begin with x' },
    ],
    properties: {
      spec: {
        type: 'object',
        'x-kubernetes-validations': [{ rule: 'self.foo__dash__bar == 1' }],
        properties: { 'foo-bar': { type: 'integer' } },
      },
    },
  };
  const object = { apiVersion: 'v1', kind: 'K', metadata: { name: 'y' }, spec: { 'foo-bar': 1 } };
  assert.deepEqual(texts(schema, object), ['<nil>: Invalid value: "object": must begin with x']);
});

test('a rule that does not compile, is no question, or costs too much, is refused with the definition', () => {
  assert.deepEqual(faults(withRules([{ rule: 'self.min <= self.max' }])), []);
  const [typo] = faults(withRules([{ rule: 'self.minn > 1' }]));
  assert.match(
    typo!,
    /^schema\.properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: Invalid value: .*: compilation failed: ERROR: <input>:1:5: undefined field 'minn'/,
  );
  assert.match(faults(withRules([{ rule: 'self.min' }]))[0]!, /cel expression must evaluate to a bool$/);
  assert.match(
    faults(withRules([{ rule: 'true', messageExpression: '1' }]))[0]!,
    /messageExpression must evaluate to a string$/,
  );
  assert.match(
    faults(withRules([{ rule: 'true', optionalOldSelf: true }]))[0]!,
    /may not be set if oldSelf is not used in rule$/,
  );
  const strings = { type: 'array', items: { type: 'string' } };
  const dear = withRules([{ rule: 'self.list.all(x, self.list.all(y, x == y))' }], {
    properties: { list: strings },
  });
  assert.match(
    faults(dear)[0]!,
    /Forbidden: estimated rule cost exceeds budget by factor of more than 100x \(try simplifying the rule, or adding maxItems/,
  );
  const atomic = {
    type: 'array',
    maxItems: 10,
    items: { type: 'string', maxLength: 5, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
  };
  assert.match(
    faults(withRules([], { properties: { list: atomic } }))[0]!,
    /oldSelf cannot be used on the uncorrelatable portion of the schema within schema\.properties\[spec\]\.properties\[list\]$/,
  );
});

test('what a request may cost in all is bounded', () => {
  const schema = withRules([{ rule: 'self.list.all(x, self.list.all(y, x != y + 1000000))' }], {
    properties: { list: { type: 'array', items: { type: 'integer' } } },
  });
  const list = Array.from({ length: 2000 }, (_, index) => index);
  const [text] = texts(schema, { spec: { list } });
  assert.match(
    text!,
    /operation cancelled: actual cost limit exceeded': no further validation rules will be run/,
  );
});
