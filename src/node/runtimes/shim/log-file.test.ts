import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { LogFile, lineBytesMax } from './log-file.ts';

const nowMs = () => Date.parse('2026-01-02T03:04:05.678Z');
const time = '2026-01-02T03:04:05.678000000Z';

function open(t: TestContext, limits: { bytesMax?: number; filesMax?: number } = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), 'log-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = path.join(dir, 'pod/0.log');
  const log = new LogFile({
    path: file,
    bytesMax: limits.bytesMax ?? 1e6,
    filesMax: limits.filesMax ?? 3,
    nowMs,
  });
  return { dir, file, log, read: () => readFileSync(file, 'utf8') };
}

test('lines are written as the CRI log format has them, streams apart', (t) => {
  const { log, read } = open(t);
  log.write('stdout', Buffer.from('one\ntw'));
  log.write('stderr', Buffer.from('problem\n'));
  log.write('stdout', Buffer.from('o\n\nrest'));
  assert.equal(
    read(),
    `${time} stdout F one\n${time} stderr F problem\n${time} stdout F two\n${time} stdout F \n`,
  );
  log.close();
  assert.ok(read().endsWith(`${time} stdout F rest\n`));
});

test('a line that is too long is written in parts', (t) => {
  const { log, read } = open(t);
  const long = 'x'.repeat(lineBytesMax);
  log.write('stdout', Buffer.from(`${long}${long}end\n`));
  assert.equal(read(), `${time} stdout P ${long}\n${time} stdout P ${long}\n${time} stdout F end\n`);
});

test('a line without an end is bounded in memory, however it comes', (t) => {
  const { log, file } = open(t, { bytesMax: 1e9 });
  for (let index = 0; index < 100; index++) log.write('stdout', Buffer.alloc(1000, 'y'));
  assert.ok(statSync(file).size >= 100_000 - lineBytesMax);
});

test('files rotate by size, and only so many are kept', (t) => {
  const { log, dir, read } = open(t, { bytesMax: 200, filesMax: 3 });
  for (let index = 0; index < 20; index++) log.write('stdout', Buffer.from(`line ${index}\n`));
  const files = readdirSync(path.join(dir, 'pod')).sort();
  assert.deepEqual(files, ['0.log', '0.log.1', '0.log.2']);
  for (const name of files) assert.ok(statSync(path.join(dir, 'pod', name)).size <= 200);
  assert.match(read(), /line 19\n$/);
});

test('an existing log is continued', (t) => {
  const first = open(t);
  first.log.write('stdout', Buffer.from('before\n'));
  first.log.close();
  const second = new LogFile({ path: first.file, bytesMax: 1e6, filesMax: 3, nowMs });
  second.write('stdout', Buffer.from('after\n'));
  assert.equal(first.read(), `${time} stdout F before\n${time} stdout F after\n`);
});

test('where a log cannot be written, lines are dropped and counted, and told once it can', (t) => {
  const { log, file, read } = open(t);
  mkdirSync(file, { recursive: true });
  log.write('stdout', Buffer.from('one\ntwo\n'));
  assert.equal(log.dropped, 2);
  rmSync(file, { recursive: true });
  log.write('stdout', Buffer.from('three\n'));
  assert.equal(log.dropped, 0);
  assert.equal(read(), `${time} stderr F [2 lines lost: log could not be written]\n${time} stdout F three\n`);
});

test('a full disk costs lines and nothing else', {
  skip: !existsSync('/dev/full') && 'this system has no /dev/full',
}, () => {
  const log = new LogFile({ path: '/dev/full', bytesMax: 1e6, filesMax: 3, nowMs });
  log.write('stdout', Buffer.from('one\n'));
  log.write('stdout', Buffer.from('two\n'));
  log.close();
  assert.ok(log.dropped >= 2);
});
