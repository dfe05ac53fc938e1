import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { garbageCollector } from './garbage-collector.ts';
import { trimMalloc } from './trim-malloc.ts';

const isGlibc =
  process.platform === 'linux' &&
  'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header;

test('pages that are free between used ones are given back', { skip: !isGlibc && 'not glibc' }, async () => {
  // Below the size that the C library asks the system for one by one; every eighth is kept and holds the rest in place.
  const kept: Buffer[] = [];
  for (let at = 0; at < 4000; at++) {
    const piece = Buffer.alloc(16_000, 1);
    if (at % 8 === 0) kept.push(piece);
  }
  garbageCollector()();
  const before = anonymousKilobytes();
  // The collector frees buffers beside us, some after the first call.
  for (let tries = 0; tries < 100 && before - anonymousKilobytes() < 10_000; tries++) {
    assert.equal(await trimMalloc(), true);
  }
  assert.ok(before - anonymousKilobytes() >= 10_000, `of ${before} kB ${anonymousKilobytes()} are left`);
  assert.equal(kept.length, 500);
});

/** Pages of this process that are no file's. */
function anonymousKilobytes(): number {
  return Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))![1]);
}
