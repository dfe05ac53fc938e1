import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retriesMax, retryAfterSecondsMax, retryingLater } from './retry-after.ts';
import type { ApiRequest, ApiResponse } from './transport.ts';

const request: ApiRequest = {
  method: 'GET',
  path: '/api/v1/nodes',
  query: new URLSearchParams(),
  headers: {},
};
const answer = (code: number, retryAfter?: string): ApiResponse => ({
  code,
  headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  kind: 'object',
  object: {},
});

/** Sends once to a server that gives these answers in turn, the last one for ever; what was waited for, in ms. */
async function sent(answers: ApiResponse[]) {
  const waits: number[] = [];
  let asked = 0;
  const transport = retryingLater(
    async () => answers[Math.min(asked++, answers.length - 1)]!,
    async (ms) => void waits.push(ms),
  );
  return { code: (await transport(request)).code, asked, waits };
}

test('a request that the server puts off comes again when it may', async () => {
  const seen = await sent([answer(429, '2'), answer(503, '1'), answer(200)]);
  assert.deepEqual(seen, { code: 200, asked: 3, waits: [2000, 1000] });
});

test('one that is put off again and again is told of at last', async () => {
  const seen = await sent([answer(429, '1')]);
  assert.deepEqual([seen.code, seen.asked], [429, retriesMax + 1]);
});

test('a refusal that names no time, or one far away, is told of at once', async () => {
  for (const refusal of [answer(429), answer(429, String(retryAfterSecondsMax + 1)), answer(409, '1')]) {
    assert.deepEqual(await sent([refusal]), { code: refusal.code, asked: 1, waits: [] });
  }
});

test('who gives up while it waits hears of that', async () => {
  const end = new AbortController();
  const transport = retryingLater(async () => {
    end.abort(new Error('enough'));
    return answer(429, '30');
  });
  await assert.rejects(transport({ ...request, signal: end.signal }), { name: 'AbortError' });
});
