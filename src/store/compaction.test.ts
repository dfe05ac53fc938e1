import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { Compaction } from './compaction.ts';
import { openStore } from './open.ts';

function temporaryPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-store-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'state.sqlite');
}

async function sweep(compaction: Compaction): Promise<void> {
  for (let turn = 0; turn < 1000 && !compaction.isSwept; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(compaction.isSwept);
}

function failTest(error: unknown): void {
  assert.ifError(error);
}

/** 1000 changes of one key, and a key that was made and deleted. */
async function writeHistory(path: string): Promise<number> {
  const store = openStore({ path });
  let { revision } = await store.create('/a', { n: 0 });
  await store.create('/gone', {});
  await store.delete('/gone');
  for (let n = 1; n <= 1000; n++) ({ revision } = await store.update('/a', { n }, revision));
  await store.close();
  return revision;
}

function changesIn(database: DatabaseSync): number {
  return Number(database.prepare('SELECT count(*) AS n FROM changes').get()!.n);
}

test('what is forgotten is gone from disk, what a kept change replaced is not', async (t) => {
  const path = temporaryPath(t);
  const newest = await writeHistory(path);
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  const compaction = new Compaction(database, failTest);
  compaction.compact(newest - 10);
  await sweep(compaction);
  // Ten changes and the value that the first of them replaced.
  assert.equal(changesIn(database), 11);
  compaction.compact(newest);
  await sweep(compaction);
  assert.equal(changesIn(database), 1);
});

test('a sweep that was interrupted goes on after the next start', async (t) => {
  const path = temporaryPath(t);
  const newest = await writeHistory(path);
  const first = new DatabaseSync(path);
  const interrupted = new Compaction(first, failTest);
  interrupted.compact(newest);
  await new Promise((resolve) => setImmediate(resolve));
  interrupted.close();
  const left = changesIn(first);
  assert.ok(left > 1 && left < 1000, `${left} changes left`);
  first.close();
  const second = new DatabaseSync(path);
  t.after(() => second.close());
  const resumed = new Compaction(second, failTest);
  assert.equal(resumed.compacted, newest);
  await sweep(resumed);
  assert.equal(changesIn(second), 1);
});

test('history is bounded without being asked for', async (t) => {
  const path = temporaryPath(t);
  const store = openStore({ path, historyMax: 100 });
  let { revision } = await store.create('/a', { n: 0 });
  for (let n = 1; n <= 500; n++) ({ revision } = await store.update('/a', { n }, revision));
  assert.throws(() => store.watch('/', { fromRevision: revision - 111 }), /too old resource version/);
  assert.ok(store.watch('/', { fromRevision: revision - 100 }));
  await store.close();
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  assert.ok(changesIn(database) <= 112, `${changesIn(database)} changes on disk`);
});
