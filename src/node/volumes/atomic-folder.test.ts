import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readShown, writeAtomically } from './atomic-folder.ts';

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
