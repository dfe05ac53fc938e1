import assert from 'node:assert/strict';
import { rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { isStatus } from '../base/errors.ts';
import { digestOf } from './digest.ts';
import { exportLayout, importLayout } from './layout.ts';
import { putImage, temporaryFolder, temporaryStore } from './testing.ts';

const hello = Buffer.from('hello');

test('an image goes out as a layout and comes in elsewhere unchanged', async (t) => {
  const [store, other] = [await temporaryStore(t), await temporaryStore(t)];
  const folder = join(await temporaryFolder(t), 'layout');
  const image = await putImage(store, 'app:1', [hello]);
  assert.deepEqual(await exportLayout(store, 'app:1', folder), image);
  assert.deepEqual(await importLayout(other, folder, 'team/app:1'), image);
  assert.deepEqual(await other.resolve('team/app:1'), image);
  assert.equal(await other.stat(digestOf(hello)), 5);
});

test('a folder that is not empty, or no layout, is refused', async (t) => {
  const store = await temporaryStore(t);
  await putImage(store, 'app:1', [hello]);
  const folder = await temporaryFolder(t);
  await assert.rejects(importLayout(store, folder, 'x:1'), /has no index.json/);
  await writeFile(join(folder, 'mine'), '');
  await assert.rejects(exportLayout(store, 'app:1', folder), (error) => isStatus(error, 'AlreadyExists'));
  await assert.rejects(exportLayout(store, 'gone:1', join(folder, 'x')), (error) =>
    isStatus(error, 'NotFound'),
  );
});

test('a layout that was tampered with is refused', async (t) => {
  const store = await temporaryStore(t);
  await putImage(store, 'app:1', [hello]);
  const folder = join(await temporaryFolder(t), 'layout');
  await exportLayout(store, 'app:1', folder);
  const other = await temporaryStore(t);
  const blob = join(folder, 'blobs/sha256', digestOf(hello).slice(7));
  await writeFile(blob, 'jello');
  await assert.rejects(importLayout(other, folder, 'app:1'), (error) => isStatus(error, 'Invalid'));
  await rm(blob);
  await symlink('/etc/hostname', blob);
  await assert.rejects(importLayout(other, folder, 'app:1'), (error) => isStatus(error, 'NotFound'));
  assert.equal(await other.resolve('app:1'), undefined);
});
