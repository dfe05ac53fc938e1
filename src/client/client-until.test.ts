import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMap } from '../api/kinds/configMap.ts';
import { clientUntil } from './client-until.ts';
import { createClient } from './create-client.ts';
import type { ApiRequest } from './transport.ts';

const key = { namespace: 'default', name: 'settings' };

test('requests under way are given up when the signal aborts, and none are sent after', async () => {
  const sent: ApiRequest[] = [];
  const silent = createClient((request) => {
    sent.push(request);
    return new Promise(() => {});
  });
  const ending = new AbortController();
  const client = clientUntil(silent, ending.signal);
  const object = { metadata: key };
  const requests = [
    client.get(configMap, key),
    client.list(configMap),
    client.create(configMap, object),
    client.update(configMap, object),
    client.patch(configMap, key, { type: 'merge', body: {} }),
    client.delete(configMap, key),
  ];
  assert.equal(sent.length, requests.length);
  ending.abort(new Error('the end'));
  for (const outcome of await Promise.allSettled(requests)) {
    assert.equal(outcome.status, 'rejected');
    assert.match(String(outcome.reason), /the end/);
  }
  await assert.rejects(client.get(configMap, key), /the end/);
  assert.equal(sent.length, requests.length);
});

test('until then it is the client it stands for', async () => {
  const found = { metadata: { ...key, resourceVersion: '7' } };
  const answering = createClient(async () => ({ code: 200, headers: {}, kind: 'object', object: found }));
  const client = clientUntil(answering, new AbortController().signal);
  assert.equal((await client.get(configMap, key)).metadata!.resourceVersion, '7');
});
