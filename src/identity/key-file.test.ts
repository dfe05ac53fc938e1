import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isStatus } from '../base/errors.ts';
import { loadOrCreateFile, loadOrCreateKey, writePrivateFile } from './key-file.ts';

function pathIn(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-key-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'new', 'secret.key');
}

test('a key is made once, for its owner only, and loaded ever after', (t) => {
  const path = pathIn(t);
  const key = loadOrCreateKey(path);
  assert.equal(key.length, 32);
  assert.deepEqual(loadOrCreateKey(path), key);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(dirname(path)), ['secret.key']);
});

test('of two that make the file at once both get the first', (t) => {
  const path = pathIn(t);
  const loser = loadOrCreateFile(path, () => {
    loadOrCreateFile(path, () => 'first');
    return 'second';
  });
  assert.equal(loser.toString(), 'first');
  assert.deepEqual(readdirSync(dirname(path)), ['secret.key']);
});

test('a cut-off key is refused, not used and not replaced', (t) => {
  const path = pathIn(t);
  loadOrCreateKey(path);
  writeFileSync(path, 'c2hvcnQ=');
  assert.throws(
    () => loadOrCreateKey(path),
    (error) => isStatus(error, 'InternalError') && /holds 5 bytes; it needs 32/.test(error.message),
  );
  assert.equal(readFileSync(path, 'utf8'), 'c2hvcnQ=');
});

test('a file that cannot be replaced is told, and no temporary file is left', (t) => {
  const path = pathIn(t);
  mkdirSync(path, { recursive: true });
  assert.throws(() => writePrivateFile(path, 'x'), /Cannot write .*secret\.key/);
  assert.deepEqual(readdirSync(dirname(path)), ['secret.key']);
});
