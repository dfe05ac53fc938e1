import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { until } from '../../base/until.ts';
import { type LogQuery, parseLogQuery } from './log-lines.ts';
import { readLog } from './log-reader.ts';

const plain: LogQuery = { follow: false, previous: false, timestamps: false };
const line = (second: number, text: string, tag = 'F') =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z stdout ${tag} ${text}\n`;

async function logFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'selvage-log-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, '0.log');
}

function open(path: string, query: Partial<LogQuery>, overrides: { isAlive?: () => boolean } = {}) {
  const stop = new AbortController();
  const reading = { path, query: { ...plain, ...query }, clock: systemClock, signal: stop.signal };
  return { stop, lines: readLog({ ...reading, isAlive: overrides.isAlive ?? (() => false) }) };
}

async function read(path: string, query: Partial<LogQuery> = {}): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of open(path, query).lines) parts.push(part);
  return Buffer.concat(parts).toString();
}

test('a log is shown without its times, with parts of long lines joined', async (t) => {
  const path = await logFile(t);
  await writeFile(path, line(1, 'one') + line(2, 'lo', 'P') + line(2, 'ng') + line(3, ''));
  assert.equal(await read(path), 'one\nlong\n\n');
  assert.equal(await read(path, { timestamps: true, tailLines: 1 }), '2026-01-01T00:00:03.000000000Z \n');
});

test('rotated files are read as one log', async (t) => {
  const path = await logFile(t);
  await writeFile(`${path}.2`, line(1, 'one'));
  await writeFile(`${path}.1`, line(2, 'two') + line(3, 'three'));
  await writeFile(path, line(4, 'four'));
  assert.equal(await read(path), 'one\ntwo\nthree\nfour\n');
  assert.equal(await read(path, { tailLines: 2 }), 'three\nfour\n');
  assert.equal(await read(path, { tailLines: 3 }), 'two\nthree\nfour\n');
  assert.equal(await read(path, { tailLines: 99 }), 'one\ntwo\nthree\nfour\n');
  assert.equal(await read(path, { tailLines: 0 }), '');
});

test('a log that grows and is rotated while it is read shows what was there when it was asked for', async (t) => {
  const path = await logFile(t);
  await writeFile(`${path}.1`, line(1, 'one'));
  await writeFile(path, line(2, 'two').repeat(2000));
  let text = '';
  for await (const part of open(path, {}).lines) {
    if (text === '') {
      await rename(`${path}.1`, `${path}.2`);
      await rename(path, `${path}.1`);
      await writeFile(path, line(4, 'new'));
    }
    await appendFile(`${path}.1`, line(3, 'later').repeat(2000));
    text += part;
    assert.ok(text.length < 100_000, 'it reads on for as long as the log grows');
  }
  assert.equal(text, `one\n${'two\n'.repeat(2000)}`);
});

test('the tail of a large log is found across chunks', async (t) => {
  const path = await logFile(t);
  const lines = Array.from({ length: 5000 }, (_, index) => line(1, `line ${index}`));
  await writeFile(path, lines.join(''));
  const tail = await read(path, { tailLines: 3000 });
  assert.equal(tail.split('\n').length - 1, 3000);
  assert.ok(tail.startsWith('line 2000\n'));
});

test('sinceTime leaves out what is older and limitBytes what is too much', async (t) => {
  const path = await logFile(t);
  await writeFile(path, line(1, 'one') + line(2, 'two') + line(3, 'three'));
  assert.equal(await read(path, { sinceMs: Date.parse('2026-01-01T00:00:02Z') }), 'two\nthree\n');
  assert.equal(await read(path, { limitBytes: 6 }), 'one\ntw');
});

test('a log that is not there is empty', async (t) => {
  assert.equal(await read(await logFile(t)), '');
});

test('following goes on across a rotation and ends with the container', async (t) => {
  const path = await logFile(t);
  await writeFile(path, line(1, 'one'));
  let isAlive = true;
  const { lines } = open(path, { follow: true }, { isAlive: () => isAlive });
  let seen = '';
  const reading = (async () => {
    for await (const part of lines) seen += part;
  })();
  await until('the first line is there', () => seen === 'one\n');
  await appendFile(path, line(2, 'two'));
  await until('the second line is there', () => seen === 'one\ntwo\n');
  await appendFile(path, line(3, 'three'));
  await rename(path, `${path}.1`);
  await writeFile(path, line(4, 'four'));
  await until('the new file is read', () => seen.endsWith('four\n'));
  await appendFile(path, line(5, 'five'));
  isAlive = false;
  await reading;
  assert.equal(seen, 'one\ntwo\nthree\nfour\nfive\n');
});

test('following starts with a container whose log is not there yet', async (t) => {
  const path = await logFile(t);
  const { lines, stop } = open(path, { follow: true }, { isAlive: () => true });
  const first = lines.next();
  await writeFile(path, line(1, 'late'));
  assert.equal(String((await first).value), 'late\n');
  stop.abort();
  await lines.return(undefined);
});

test('a malformed query says what is wrong', () => {
  const parse = (query: string) => parseLogQuery(new URLSearchParams(query), 0);
  assert.match(String(parse('tailLines=-1')), /^tailLines: Invalid value/);
  assert.match(String(parse('limitBytes=0')), /^limitBytes: Invalid value/);
  assert.match(String(parse('sinceTime=yesterday')), /^sinceTime: Invalid value/);
  assert.deepEqual(parse('follow=true&tailLines=0&timestamps=1'), {
    follow: true,
    previous: false,
    timestamps: true,
    tailLines: 0,
  });
});
