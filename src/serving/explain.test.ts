import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explanationsMax, withExplainer } from './explain.ts';
import { type HttpAnswer, jsonAnswer } from './http-exchange.ts';

function open(explain: typeof fetch) {
  const handle = withExplainer(async () => jsonAnswer('own'), { host: 'm-explainer.ns', fetch: explain });
  return (path: string, method = 'POST') =>
    handle({
      method,
      path,
      query: '',
      header: () => undefined,
      read: () => Buffer.from('{"instances":[1]}'),
    });
}

const told = ({ status, body }: HttpAnswer) => `${status} ${body}`;

test('what asks for an explanation goes to the explainer, with its body, and all else does not', async () => {
  const asked: string[] = [];
  const ask = open(async (url, init) => {
    asked.push(`${init?.method} ${url} ${init?.body}`);
    return new Response('why', { status: 202, headers: { 'content-type': 'text/plain' } });
  });
  const answer = await ask('/v1/models/m:explain');
  assert.equal(told(answer), '202 why');
  assert.deepEqual(answer.headers, { 'content-type': 'text/plain' });
  for (const path of ['/v1/models/m:predict', '/v1/models/m', '/v1/models/a/b:explain'])
    assert.equal(told(await ask(path)), '200 "own"');
  assert.equal(told(await ask('/v1/models/m:explain', 'GET')), '200 "own"');
  assert.deepEqual(asked, ['POST http://m-explainer.ns/v1/models/m:explain {"instances":[1]}']);
});

test('an explainer that is away is told of, and no more wait for one than may', async () => {
  const refused = open(async () => {
    throw new Error('no ready endpoints');
  });
  assert.equal(
    told(await refused('/v1/models/m:explain')),
    '503 {"error":"the explainer at m-explainer.ns gave no answer: no ready endpoints"}',
  );
  const { promise, resolve } = Promise.withResolvers<Response>();
  const slow = open(() => promise.then((response) => response.clone()));
  const waiting = Array.from({ length: explanationsMax }, () => slow('/v1/models/m:explain'));
  assert.match(told(await slow('/v1/models/m:explain')), /^503 .*64 explanations are under way/);
  resolve(new Response('why'));
  assert.deepEqual(new Set((await Promise.all(waiting)).map(told)), new Set(['200 why']));
});
