import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { readOptions } from './options.ts';

test('several runs at a time share the processors, and leave the server its thread', () => {
  const { concurrency, threads, inlineMsMax } = readOptions({ CONCURRENCY: String(availableParallelism()) });
  assert.deepEqual({ concurrency, threads }, { concurrency: availableParallelism(), threads: 1 });
  if (concurrency > 1) assert.equal(inlineMsMax, 0);
  assert.equal(readOptions({ CONCURRENCY: '2', THREADS: '3', INLINE_MS_MAX: '1' }).threads, 3);
  assert.equal(readOptions({}).inlineMsMax, 2);
});

test('a variable out of its range is refused by its name', () => {
  assert.throws(
    () => readOptions({ CONCURRENCY: '0' }),
    /^Error: \$CONCURRENCY must be a number from 1 to 64, got "0"$/,
  );
  assert.throws(() => readOptions({ ESCALATE_URL: 'ftp://x' }), /\$ESCALATE_URL must be the http:\/\/ URL/);
});
