import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as addresses from './addresses.ts';
import { kinds } from './kinds/index.ts';

test('addresses without schemas are those that the kinds declare', () => {
  for (const address of Object.values(addresses)) {
    const declared = kinds.find(({ kind, group }) => kind === address.kind && group === address.group);
    const { group, version, kind, plural, namespaced } = declared!;
    assert.deepEqual(address, { group, version, kind, plural, namespaced });
  }
});
