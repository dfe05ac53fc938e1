import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Path } from '../path.ts';
import { Report } from '../report.ts';
import { columnsOf } from './columns.ts';
import { applyDefaults, dropNulls } from './default.ts';
import { compileJsonPath } from './json-path.ts';
import type { JsonSchema } from './json-schema.ts';
import { validateListTypes } from './list-types.ts';
import { prune } from './prune.ts';

const spec = (schema: JsonSchema): JsonSchema => ({ type: 'object', properties: { spec: schema } });

function pruned(schema: JsonSchema, object: Record<string, unknown>) {
  const unknown: string[] = [];
  return { object: prune(schema, object, (path) => unknown.push(path)), unknown };
}

test('fields that are not declared go, and are told by their paths', () => {
  const schema = spec({
    type: 'object',
    properties: {
      list: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } } } },
      map: {
        type: 'object',
        additionalProperties: { type: 'object', properties: { a: { type: 'integer' } } },
      },
    },
  });
  const object = {
    apiVersion: 'v1',
    kind: 'K',
    metadata: { x: 1 },
    other: 1,
    spec: { list: [{ a: 1, b: 2 }], map: { k: { b: 1 } }, c: 3 },
  };
  assert.deepEqual(pruned(schema, object), {
    object: { apiVersion: 'v1', kind: 'K', metadata: { x: 1 }, spec: { list: [{ a: 1 }], map: { k: {} } } },
    unknown: ['other', 'spec.list[0].b', 'spec.map.k.b', 'spec.c'],
  });
});

test('where unknown fields are preserved they stay, but for what is declared below', () => {
  const schema = spec({
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    properties: { known: { type: 'object', properties: { a: { type: 'integer' } } } },
  });
  const { object, unknown } = pruned(schema, { spec: { any: { deep: [1] }, known: { a: 1, b: 2 } } });
  assert.deepEqual(object, { spec: { any: { deep: [1] }, known: { a: 1 } } });
  assert.deepEqual(unknown, ['spec.known.b']);
});

test('an embedded resource keeps its metadata, and prototypes are no way out', () => {
  const schema = spec({
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    properties: { data: { type: 'string' } },
  });
  const object = JSON.parse(
    '{"spec":{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"x":1,"__proto__":{"y":1}}}',
  );
  assert.deepEqual(pruned(schema, object).object, {
    spec: { apiVersion: 'v1', kind: 'X', metadata: { name: 'a' } },
  });
});

test('defaults fill in what is missing, what is null and may not be, and what defaults leave open', () => {
  const schema = spec({
    type: 'object',
    default: {},
    properties: {
      a: { type: 'string', default: 'x' },
      may: { type: 'string', nullable: true, default: 'y' },
      not: { type: 'string' },
      inner: {
        type: 'object',
        default: { n: 1 },
        properties: { n: { type: 'integer' }, m: { type: 'integer', default: 2 } },
      },
    },
  });
  const filled = (object: Record<string, unknown>) => {
    applyDefaults(schema, object);
    dropNulls(schema, object);
    return object;
  };
  assert.deepEqual(filled({}), { spec: { a: 'x', may: 'y', inner: { n: 1, m: 2 } } });
  assert.deepEqual(filled({ spec: { a: null, may: null, not: null, inner: { n: 3 } } }), {
    spec: { a: 'x', may: null, inner: { n: 3, m: 2 } },
  });
});

test('sets have no value twice and keyed lists no key', () => {
  const schema = spec({
    type: 'object',
    properties: {
      set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      map: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['port', 'protocol'],
        items: { type: 'object' },
      },
    },
  });
  const report = new Report();
  const ports = [
    { port: 1, protocol: 'TCP' },
    { port: 1, protocol: 'UDP' },
    { protocol: 'TCP', port: 1, x: 1 },
  ];
  validateListTypes(schema, { spec: { set: ['a', 'b', 'a', 'a'], map: ports } }, new Path(), report);
  assert.deepEqual(
    report.causes.map(({ field, message }) => `${field}: ${message}`),
    ['spec.set[2]: Duplicate value: "a"', 'spec.map[2]: Duplicate value: {"port":1,"protocol":"TCP"}'],
  );
});

test('a JSON path finds members, items, and items by what is in them', () => {
  const object = {
    metadata: { annotations: { 'a.b/c': 'x' } },
    status: {
      conditions: [
        { type: 'A', n: 1 },
        { type: 'Ready', status: 'True', n: 2 },
      ],
    },
  };
  for (const [path, expected] of [
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='Ready')].status", ['True']],
    ['.status.conditions[?(@.n > 1)].type', ['Ready']],
    ['.status.conditions[*].type', ['A', 'Ready']],
    ['.status.conditions[-1].type', ['Ready']],
    ['.metadata.annotations.a\\.b/c', ['x']],
    [".metadata.annotations['a.b/c']", ['x']],
    ['..type', ['A', 'Ready']],
    ['.spec.none', []],
  ] as [string, unknown[]][]) {
    assert.deepEqual(compileJsonPath(path)(object), expected, path);
  }
  assert.throws(() => compileJsonPath('.a[?(@.b==])'), SyntaxError);
});

test('columns show values of their type, and nothing for others', () => {
  const declared = (type: string, jsonPath: string) => ({ name: type, type, jsonPath });
  const columns = columnsOf([
    declared('string', '.spec.list'),
    declared('integer', '.spec.n'),
    declared('integer', '.spec.s'),
    declared('boolean', '.spec.b'),
    declared('date', '.spec.when'),
    declared('date', '.spec.s'),
    declared('string', '.spec[?(broken'),
  ]);
  const object = {
    metadata: { name: 'it' },
    spec: { list: ['a'], n: 2.7, s: 'text', b: true, when: '2026-01-01T00:00:00Z' },
  };
  const nowMs = Date.parse('2026-01-01T00:05:00Z');
  const cells = columns.map((column) => column.value(object, nowMs));
  assert.deepEqual(cells, ['it', '["a"]', 2, null, true, '5m', '<invalid>', null]);
});
