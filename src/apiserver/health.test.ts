import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerHealth } from './health.ts';

const broken = () => {
  throw new Error('disk');
};

async function ask(target: string, store: () => void = () => {}): Promise<string> {
  const url = new URL(target, 'https://server');
  const answer = answerHealth(url.pathname, url.searchParams, { ping: () => {}, store });
  assert.ok(answer.kind === 'bytes');
  let text = '';
  for await (const part of answer.bytes) text += Buffer.from(part);
  return `${answer.code} ${text}`;
}

test('a server that is well says ok, and what it looked at when it is asked', async () => {
  assert.equal(await ask('/livez'), '200 ok');
  assert.equal(await ask('/readyz?verbose'), '200 [+]ping ok\n[+]store ok\nreadyz check passed\n');
  assert.equal(await ask('/healthz/ping'), '200 ok');
});

test('a check that fails is named, without its reason, and can be left out', async () => {
  assert.equal(
    await ask('/readyz', broken),
    '500 [+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n',
  );
  assert.equal(await ask('/readyz/ping', broken), '200 ok');
  assert.equal(
    await ask('/readyz?exclude=store&verbose', broken),
    '200 [+]ping ok\n[+]store excluded: ok\nreadyz check passed\n',
  );
  assert.throws(() => answerHealth('/readyz/other', new URLSearchParams(), {}), { reason: 'NotFound' });
});
