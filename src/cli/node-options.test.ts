import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeLabel, nodeName, periodsByPriority, serverUrl, zoneName } from './node-options.ts';

test('what no node can be called is refused before anything starts', () => {
  assert.equal(nodeName('edge-1.site'), 'edge-1.site');
  assert.throws(() => nodeName('Edge 1'), /lowercase RFC 1123 subdomain/);
  assert.equal(zoneName('site-1'), 'site-1');
  assert.throws(() => zoneName('site 1'), /a valid label/);
});

test('labels are NAME=VALUE with names and values that Kubernetes takes', () => {
  assert.deepEqual(nodeLabel('b=', nodeLabel('a.example/tier=edge', {})), {
    'a.example/tier': 'edge',
    b: '',
  });
  for (const [text, why] of [
    ['tier', /expected NAME=VALUE/],
    ['=edge', /expected NAME=VALUE/],
    ['tier=bad value!', /a valid label/],
    ['bad name=x', /name part must consist of/],
  ] as const) {
    assert.throws(() => nodeLabel(text, {}), why);
  }
});

test('an address of an API server begins with https://', () => {
  assert.equal(serverUrl('https://127.0.0.1:6443'), 'https://127.0.0.1:6443');
  for (const text of [
    '127.0.0.1:6443',
    'localhost:6443',
    'http://127.0.0.1:6443',
    'https://h:6443/path',
    '',
  ]) {
    assert.throws(() => serverUrl(text), /such as https:/);
  }
});

test('how long pods of each priority have at a shutdown is PRIORITY=SECONDS, several times', () => {
  assert.deepEqual(periodsByPriority('0=20, 100000=60'), [
    { priority: 0, seconds: 20 },
    { priority: 100_000, seconds: 60 },
  ]);
  for (const text of ['20', '0=', 'high=20', '0=20,']) {
    assert.throws(() => periodsByPriority(text), /expected PRIORITY=SECONDS/);
  }
});
