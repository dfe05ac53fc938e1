import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, type FieldSet, intersection, pathsOf, union } from './field-set.ts';
import { fieldSetDepthMax, readFieldSet } from './read-field-set.ts';

const a = { 'f:spec': { 'f:replicas': {}, 'f:ports': { 'k:{"port":80}': { '.': {}, 'f:name': {} } } } };
const b = { 'f:spec': { 'f:paused': {}, 'f:ports': { 'k:{"port":80}': { 'f:name': {} } } } };

for (const { name, operation, expected } of [
  {
    name: 'a union has the fields of both, and an item once',
    operation: () => union(a, b),
    expected: {
      'f:spec': {
        'f:replicas': {},
        'f:paused': {},
        'f:ports': { 'k:{"port":80}': { '.': {}, 'f:name': {} } },
      },
    },
  },
  {
    name: 'a difference keeps an item itself when only its fields are taken away',
    operation: () => difference(a, b),
    expected: { 'f:spec': { 'f:replicas': {}, 'f:ports': { 'k:{"port":80}': {} } } },
  },
  {
    name: 'a difference of a set with itself is empty',
    operation: () => difference(a, a),
    expected: undefined,
  },
  {
    name: 'a field that has a member in the other set is not taken away with it',
    operation: () => difference({ 'f:a': {} }, { 'f:a': { 'f:b': {} } }),
    expected: { 'f:a': {} },
  },
  {
    name: 'an intersection keeps only what both have',
    operation: () => intersection(a, b),
    expected: { 'f:spec': { 'f:ports': { 'k:{"port":80}': { 'f:name': {} } } } },
  },
  {
    name: 'an intersection of strangers is empty',
    operation: () => intersection({ 'f:a': {} }, { 'f:b': {} }),
    expected: undefined,
  },
]) {
  test(name, () => {
    const before = structuredClone([a, b]);
    assert.deepEqual(operation(), expected);
    assert.deepEqual([a, b], before);
  });
}

test('paths are printed as Kubernetes prints them', () => {
  const set: FieldSet = {
    'f:metadata': {
      'f:annotations': { '.': {}, 'f:example.com/a': {} },
      'f:finalizers': { 'v:"keep"': {} },
    },
    'f:spec': {
      'f:list': { 'i:0': {} },
      'f:containers': { 'k:{"name":"main"}': { '.': {}, 'f:image': {} } },
      'f:ports': { 'k:{"port":80,"protocol":"TCP"}': {} },
    },
  };
  assert.deepEqual(pathsOf(set), [
    '.metadata.annotations',
    '.metadata.annotations.example.com/a',
    '.metadata.finalizers[="keep"]',
    '.spec.containers[name="main"]',
    '.spec.containers[name="main"].image',
    '.spec.list[0]',
    '.spec.ports[port=80,protocol="TCP"]',
  ]);
});

test('a set that a client wrote is put into canonical form', () => {
  const read = readFieldSet({
    'f:a': { 'k:{ "b": 1, "a": "x" }': { '.': {} }, 'v: "s"': null },
  });
  assert.deepEqual(read, { 'f:a': { 'k:{"a":"x","b":1}': {}, 'v:"s"': {} } });
  assert.equal(readFieldSet({}), undefined);
});

test('what is no set is refused', () => {
  for (const wrong of [
    { a: {} },
    { 'k:[1]': {} },
    { 'k:{': {} },
    { 'i:x': {} },
    { 'f:a': 1 },
    [],
    { '.': {} },
  ]) {
    assert.throws(() => readFieldSet(wrong), RangeError, JSON.stringify(wrong));
  }
  let deep: object = {};
  for (let depth = 0; depth <= fieldSetDepthMax; depth++) deep = { 'f:a': deep };
  assert.throws(() => readFieldSet(deep), /nests deeper than 100 levels/);
});
