import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rangeOf } from './history.ts';
import { Unflushed } from './unflushed.ts';

/** Tables as a sorted map from key to revision. */
function tablesOf(rows: Record<string, number>) {
  const all = Object.entries(rows).map(([key, revision]) => ({ key, revision }));
  const inRange = ({ from, before }: { from: string; before: string }) =>
    all.filter(({ key }) => key >= from && key < before);
  return {
    revisionOf: (key: string) => rows[key],
    keys: (range: { from: string; before: string }, limit: number) =>
      limit < 0 ? inRange(range) : inRange(range).slice(0, limit),
    count: (range: { from: string; before: string }) => inRange(range).length,
  };
}

test('what is not durable yet is read as it was before: made keys are hidden, others old, deleted ones back', () => {
  const unflushed = new Unflushed();
  // /a/2 was made, /a/3 changed from revision 3, /a/5 deleted, and /b/1 is under another prefix.
  const tables = tablesOf({ '/a/1': 1, '/a/2': 10, '/a/3': 11, '/a/4': 4, '/a/6': 6, '/b/1': 13 });
  unflushed.add('/a/2', undefined);
  unflushed.add('/a/3', { key: '/a/3', revision: 3, value: {} });
  unflushed.add('/a/3', { key: '/a/3', revision: 11, value: {} });
  unflushed.add('/a/5', { key: '/a/5', revision: 5, value: {} });
  unflushed.add('/b/1', undefined);
  const keys = (limit: number, after?: string) =>
    unflushed.keys(tables, rangeOf('/a/', after), limit).map(({ key, revision }) => `${key}@${revision}`);
  assert.deepEqual(keys(-1), ['/a/1@1', '/a/3@3', '/a/4@4', '/a/5@5', '/a/6@6']);
  const paged: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = keys(2, after);
    paged.push(...page);
    if (page.length < 2) break;
    after = page.at(-1)!.split('@')[0];
  }
  assert.deepEqual(paged, keys(-1));
  assert.equal(unflushed.count(tables, rangeOf('/a/')), 5);
  assert.equal(unflushed.count(tables, rangeOf('/b/')), 0);
  unflushed.clear();
  assert.equal(unflushed.count(tables, rangeOf('/a/')), 5);
  assert.deepEqual(keys(2), ['/a/1@1', '/a/2@10']);
});
