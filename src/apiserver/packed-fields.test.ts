import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packFields, setsKept, setsKeptMax, unpackFields } from './packed-fields.ts';

const entry = (fieldsV1: object) => ({ manager: 'm', operation: 'Update', fieldsType: 'FieldsV1', fieldsV1 });
const fieldsOf = (entries: unknown[]) => (entries as { fieldsV1: unknown }[])[0]!.fieldsV1;

test('entries come back from their stored form as they were', () => {
  const entries = [entry({ 'f:data': { 'f:"a"': {} } })];
  const stored = JSON.parse(JSON.stringify(packFields(entries)));
  assert.equal(typeof fieldsOf(stored), 'string');
  assert.deepEqual(unpackFields(stored), entries);
});

test('equal sets of different objects are one in memory', () => {
  const stored = () => JSON.parse(JSON.stringify(packFields([entry({ 'f:data': { 'f:shared': {} } })])));
  assert.equal(fieldsOf(unpackFields(stored())), fieldsOf(unpackFields(stored())));
});

test('the number of sets that are kept is bounded, and the others are read anew', () => {
  const stored = Array.from({ length: setsKeptMax + 10 }, (_, index) =>
    packFields([entry({ [`f:${index}`]: {} })]),
  );
  assert.equal(setsKept(), setsKeptMax);
  assert.deepEqual(fieldsOf(unpackFields(stored[0]!)), { 'f:0': {} });
});
