import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { StatusError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { openStore } from '../../store/open.ts';
import type { Store } from '../../store/store.ts';
import { RbacIndex } from './rbac-index.ts';

const group = '/rbac.authorization.k8s.io';
const binding = (name: string, ...users: string[]) => ({
  metadata: { name },
  roleRef: { kind: 'ClusterRole', name: 'r' },
  subjects: users.map((user) => ({ kind: 'User', name: user })),
});
const settled = () => new Promise((resolve) => setImmediate(resolve));
const namesOf = (index: RbacIndex, name: string) =>
  [...index.grantsOf({ name, groups: [] }, '')].map((grant) => grant.binding.metadata!.name);

test('the index follows what is made, changed and removed', async (t) => {
  const store = openStore({ path: ':memory:', clock: new FakeClock() });
  t.after(() => store.close());
  await store.create(`${group}/clusterrolebindings/early`, binding('early', 'ann'));
  const index = new RbacIndex(store, silentLog);
  assert.deepEqual(namesOf(index, 'ann'), ['early']);
  const made = await store.create(`${group}/clusterrolebindings/late`, binding('late', 'ann', 'ann', 'bob'));
  await settled();
  assert.deepEqual(namesOf(index, 'ann'), ['early', 'late']);
  await store.update(made.key, binding('late', 'bob'), made.revision);
  await settled();
  assert.deepEqual(namesOf(index, 'ann'), ['early']);
  await store.delete(made.key);
  await settled();
  assert.deepEqual(namesOf(index, 'bob'), []);
});

test('a watch that fell behind leaves nothing of what was taken back meanwhile', async (t) => {
  const store = openStore({ path: ':memory:', clock: new FakeClock() });
  t.after(() => store.close());
  const key = `${group}/clusterrolebindings/gone`;
  await store.create(key, binding('gone', 'ann'));
  let breakWatch = () => {};
  let isFirst = true;
  const breaking: Store = Object.assign(Object.create(store), {
    list: (...args: Parameters<Store['list']>) => store.list(...args),
    watch: (...args: Parameters<Store['watch']>) => {
      if (!isFirst) return store.watch(...args);
      isFirst = false;
      const broken = new Promise<never>((_resolve, reject) => {
        breakWatch = () => reject(new StatusError('Expired', 'too old'));
      });
      return { revision: 0, [Symbol.asyncIterator]: () => ({ next: () => broken }) };
    },
  });
  const index = new RbacIndex(breaking, silentLog);
  await store.delete(key);
  assert.deepEqual(namesOf(index, 'ann'), ['gone']);
  breakWatch();
  await settled();
  assert.deepEqual(namesOf(index, 'ann'), []);
  await store.create(key, binding('gone', 'ann'));
  await settled();
  assert.deepEqual(namesOf(index, 'ann'), ['gone']);
});
