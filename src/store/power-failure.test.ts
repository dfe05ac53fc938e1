import assert from 'node:assert/strict';
import fs, { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

/*
 * A disk that loses its power: of each file there is what the system has, and what it had when it was flushed last. A
 * write that was acknowledged must be found in every mixture of the two, at every moment when a flush begins or ends.
 */

/** By path: what is certain to be on the disk. */
const flushed = new Map<string, Buffer>();
let onFlush = () => {};

type Flushing = (fd: number, callback: (error: Error | null) => void) => void;

/** Notes what a flush makes certain; by then more may have been written, which is not. */
function noting(original: Flushing): Flushing {
  return (fd, callback) => {
    const path = readlinkSync(`/proc/self/fd/${fd}`);
    const content = readFileSync(path);
    onFlush();
    original(fd, (error) => {
      flushed.set(path, content);
      onFlush();
      callback(error);
    });
  };
}

const isLinux = process.platform === 'linux';
if (isLinux) {
  // Before the store is loaded, which keeps these functions.
  fs.fdatasync = noting(fs.fdatasync) as typeof fs.fdatasync;
  fs.fsync = noting(fs.fsync) as typeof fs.fsync;
  syncBuiltinESMExports();
}
const { openStore } = await import('./open.ts');

test('after a power failure every acknowledged write is there, in the midst of copying the journal too', {
  skip: !isLinux && 'needs /proc to know the files',
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'selvage-power-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'live', 'state.sqlite');
  const store = openStore({ path, historyMax: 20 });
  const files = [path, `${path}-wal`];
  for (const file of files) flushed.set(file, readFileSync(file));
  const acknowledged = new Map<string, number>();
  const images: { content: (Buffer | undefined)[]; acknowledged: Map<string, number> }[] = [];
  let moments = 0;
  onFlush = () => {
    const isCopied = readFileSync(files[1]!).length === 0;
    // All of the rare moments around a copy of the journal, and some of the others.
    if (!isCopied && moments++ % 20 !== 0) return;
    const now = files.map((file) => readFileSync(file));
    const kept = files.map((file) => flushed.get(file));
    for (const content of [kept, now, [now[0], kept[1]], [kept[0], now[1]]])
      images.push({ content, acknowledged: new Map(acknowledged) });
  };
  const padding = 'x'.repeat(430_000);
  for (let n = 0; n < 45; n++) {
    const key = `/w/${n % 7}/${n}`;
    const { revision } = await store.create(key, { n, padding });
    acknowledged.set(key, revision);
  }
  onFlush = () => {};
  await store.close();
  assert.ok(images.length > 20, `${images.length} images`);
  for (const [index, image] of images.entries()) {
    const restored = join(folder, `image-${index}`, 'state.sqlite');
    mkdirSync(join(folder, `image-${index}`));
    for (const [at, content] of image.content.entries())
      if (content) writeFileSync(at === 0 ? restored : `${restored}-wal`, content);
    const found = openStore({ path: restored });
    for (const [key, revision] of image.acknowledged)
      assert.equal(found.get(key)?.revision, revision, `image ${index} of ${images.length}: ${key}`);
    await found.close();
    rmSync(join(folder, `image-${index}`), { recursive: true });
  }
  t.diagnostic(`${images.length} moments, ${acknowledged.size} acknowledged writes`);
});
