import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../api/object.ts';
import { silentLog } from '../base/log.ts';
import { openStore } from '../store/open.ts';
import { HeldObjects } from './held-objects.ts';

const kind = { group: '', plural: 'limitranges' };
const key = (namespace: string, name: string) => `/core/limitranges/${namespace}/${name}`;
const object = (namespace: string, name: string) => ({ metadata: { namespace, name } });

test('what the store has acknowledged is held, by namespace and in the order of names', async () => {
  const store = openStore({ path: ':memory:' });
  await store.create(key('a', 'first'), object('a', 'first'));
  const held = new HeldObjects<KubeObject>({ store, log: silentLog }, kind);
  const names = (namespace: string) => held.in(namespace).map(({ metadata }) => metadata!.name);
  assert.deepEqual(names('a'), ['first']);
  const { version } = held;
  await store.create(key('a', 'before'), object('a', 'before'));
  await store.create(key('b', 'other'), object('b', 'other'));
  assert.deepEqual([names('a'), names('b'), names('c')], [['before', 'first'], ['other'], []]);
  assert.ok(held.version > version);
  assert.equal(held.get('other', 'b')?.metadata?.resourceVersion, String(store.revision()));
  await store.create('/core/pods/a/web', object('a', 'web'));
  assert.deepEqual(names('a'), ['before', 'first'], 'other kinds are none of it');
  for (const [namespace, name] of [
    ['a', 'first'],
    ['a', 'before'],
    ['b', 'other'],
  ] as const) {
    await store.delete(key(namespace, name));
    assert.equal(held.get(name, namespace), undefined);
  }
  assert.deepEqual(held.all(), []);
  assert.equal(held.isEmpty, true);
  await store.close();
});
