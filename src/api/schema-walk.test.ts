import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchemaNode } from './schema.ts';
import { Within } from './schema-walk.ts';

const text: SchemaNode = { type: 'string' };
const filled: SchemaNode = { type: 'string', default: 'a' };

test('a walk passes over the fields that have nothing of what is looked for', () => {
  const inList: SchemaNode = { type: 'list', item: { type: 'object', fields: { a: filled } } };
  const schema: SchemaNode = {
    type: 'object',
    fields: { text, filled, inList, none: { type: 'list', item: text } },
  };
  const within = new Within(({ default: value }) => value !== undefined);
  assert.deepEqual(
    within.fieldsOf(schema).map(([name]) => name),
    ['filled', 'inList'],
  );
  assert.equal(within.isIn(schema), true);
  assert.equal(within.isIn(text), false);
});

test('nothing is passed over in schemas that contain each other', () => {
  const outerFields: Record<string, SchemaNode> = {};
  const outer: SchemaNode = { type: 'object', fields: outerFields };
  const inner: SchemaNode = { type: 'object', fields: { outer } };
  Object.assign(outerFields, { inner, filled });
  const within = new Within(({ default: value }) => value !== undefined);
  assert.equal(within.isIn(outer), true);
  assert.deepEqual(within.fieldsOf(inner), [['outer', outer]]);
  assert.equal(within.isIn(inner), true);
});
