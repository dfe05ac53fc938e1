import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ContainerSpec } from '../runtime.ts';
import { bytesMax, CompileCache, foldersMax } from './compile-cache.ts';

function setUp(t: TestContext) {
  const dir = mkdtempSync(path.join(tmpdir(), 'selvage-cache-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const cache = new CompileCache(dir);
  /** The folder of an image, used `age` seconds ago, with one file. */
  const use = (image: string, options: { age: number; bytes?: number; serviceAccount?: string }) => {
    const { age, bytes = 1, serviceAccount = 'default' } = options;
    const folder = cache.folderFor(specOf(image, serviceAccount));
    writeFileSync(path.join(folder, 'code'), Buffer.alloc(bytes));
    utimesSync(folder, Date.now() / 1000 - age, Date.now() / 1000 - age);
    return folder;
  };
  return { dir, cache, use };
}

/** Only these fields count. */
const specOf = (image: string, serviceAccount = 'default') =>
  ({ pod: { namespace: 'shop', serviceAccount }, rootDir: `/images/${image}` }) as ContainerSpec;

test('each service account has its own compiled code of an image', (t) => {
  const { use } = setUp(t);
  assert.notEqual(use('a', { age: 0 }), use('a', { age: 0, serviceAccount: 'other' }));
});

test('the folder unused for longest goes when there are too many, but never one in use', async (t) => {
  const { dir, cache, use } = setUp(t);
  const oldest = use('a', { age: 30 });
  const [older, newer] = [use('b', { age: 20, serviceAccount: 'other' }), use('c', { age: 10 })];
  await cache.prune([specOf('a')], { foldersMax: 2, bytesMax });
  assert.deepEqual([oldest, older, newer].map(existsSync), [true, false, true]);
  assert.deepEqual(readdirSync(path.join(dir, 'shop')), ['default'], 'empty folders above it go too');
});

test('the folder unused for longest goes when all are too big together', async (t) => {
  const { cache, use } = setUp(t);
  const folders = [30, 20, 10].map((age) => use(`i${age}`, { age, bytes: 1000 }));
  await cache.prune([], { foldersMax, bytesMax: 2500 });
  assert.deepEqual(folders.map(existsSync), [false, true, true]);
  await cache.prune([], { foldersMax, bytesMax: 2500 });
  assert.deepEqual(folders.map(existsSync), [false, true, true], 'what is within bounds stays');
});
