import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readShown, showAtomically, writeAtomically } from './atomic-folder.ts';

test("containers that start at once and share a volume do not get in each other's way", async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'selvage-volume-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, 'token');
  const files = (text: string) => [
    { path: 'token', content: Buffer.from(text), mode: 0o600 },
    { path: 'ca.crt', content: Buffer.from('ca'), mode: 0o644 },
  ];
  const changed = await Promise.all([1, 2, 3, 4].map(() => writeAtomically(folder, files('same'))));
  assert.deepEqual(changed, [true, false, false, false]);
  await Promise.all(['a', 'b', 'c'].map((text) => writeAtomically(folder, files(text))));
  assert.equal(await readShown(folder, 'token'), 'c');
  const shown = (await readdir(folder)).filter((name) => !/^\.\.[0-9a-f]{16}$/.test(name));
  assert.deepEqual(shown.sort(), ['..data', 'ca.crt', 'token']);
});

test('a folder shows another one without taking room, then the next one, all at once', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'selvage-volume-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const source = async (name: string, files: Record<string, string>) => {
    const folder = join(parent, name);
    await mkdir(join(folder, 'deep'), { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
    return folder;
  };
  const one = await source('one', { 'graph.onnx': 'f', weights: 'θ1', 'deep/labels': 'cat', left: 'x' });
  await symlink('weights', join(one, 'latest'));
  const two = await source('two', { 'graph.onnx': 'f', weights: 'θ2', 'deep/labels': 'dog' });
  const shown = join(parent, 'shown');
  assert.equal(await showAtomically(shown, one), true);
  assert.equal(await showAtomically(shown, one), false);
  assert.equal(await readFile(join(shown, 'latest'), 'utf8'), 'θ1');
  assert.equal((await stat(join(shown, 'weights'))).ino, (await stat(join(one, 'weights'))).ino);
  assert.equal(await showAtomically(shown, two), true);
  assert.equal(await readFile(join(shown, 'weights'), 'utf8'), 'θ2');
  assert.equal(await readFile(join(shown, 'deep/labels'), 'utf8'), 'dog');
  const tops = (await readdir(shown)).filter((name) => !name.startsWith('..'));
  assert.deepEqual(tops.sort(), ['deep', 'graph.onnx', 'weights']);
});

test('what was cut off between making a version and showing it is made again', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'selvage-volume-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, 'v');
  const file = (content: string) => [{ path: 'a', content: Buffer.from(content), mode: 0o644 }];
  await writeAtomically(folder, file('1'));
  const versionOf = async () => (await readdir(folder)).find((name) => /^\.\.[0-9a-f]{16}$/.test(name))!;
  await writeAtomically(join(parent, 'other'), file('2'));
  const next = (await readdir(join(parent, 'other'))).find((name) => /^\.\.[0-9a-f]{16}$/.test(name))!;
  await mkdir(join(folder, next));
  assert.equal(await writeAtomically(folder, file('2')), true);
  assert.equal(await readShown(folder, 'a'), '2');
  assert.equal(await versionOf(), next);
});
