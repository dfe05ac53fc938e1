import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { Metrics } from '../../base/metrics.ts';
import type { Tensor } from '../datatype.ts';
import { createModelServer } from '../server.ts';
import type { Session } from '../session.ts';
import { confidencesOf } from './confidence.ts';
import { createEscalation, escalatedHeader, linkDownMs, mergeRows } from './escalation.ts';

const fp32 = (shape: number[], ...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});

/** A model of two classes whose logits are what `logitsOf` makes of each row's one value. */
function session(output: string, logitsOf: (value: number) => number[]): Session {
  return {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
    outputs: [{ name: output, datatype: 'FP32', shape: [-1, 2] }],
    async run({ x }) {
      const rows = Array.from(x!.data as Float32Array, logitsOf);
      return { [output]: fp32([rows.length, 2], ...rows.flat()) };
    },
    close: async () => {},
  };
}

/** A small model that is sure of values above 5 only, and a bigger one that is always sure, behind real handlers. */
function setUp(options: { ratePerSecond?: number } = {}) {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const served = (name: string, model: Session) => [
    { name, version: '1', labels: undefined, session: model },
  ];
  const big = createModelServer({
    models: served(
      'big',
      session('scores', (value) => [-value, 100]),
    ),
    metrics: new Metrics(),
    version: '0',
  });
  const link = { isDown: false, calls: [] as Request[] };
  const escalation = createEscalation({
    url: 'http://big/v2/models/big/infer',
    below: 0.9,
    ratePerSecond: options.ratePerSecond ?? 10,
    timeoutMs: 1000,
    clock,
    metrics,
    async fetch(input, init) {
      const request = new Request(input, init);
      link.calls.push(request.clone());
      if (link.isDown) throw new TypeError('fetch failed');
      return big.fetch(request);
    },
  });
  const small = createModelServer({
    models: served(
      'small',
      session('logits', (value) => [value > 5 ? 100 : 0, 0]),
    ),
    metrics,
    version: '0',
    clock,
    escalation,
  });
  const ask = async (values: number[], headers: Record<string, string> = {}) => {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [values.length, 1], data: values }];
    const init = { method: 'POST', body: JSON.stringify({ inputs }), headers };
    const response = await small.fetch(new Request('http://small/v2/models/small/infer', init));
    assert.equal(response.status, 200);
    const { outputs, parameters } = await response.json();
    return { data: outputs[0].data as number[], parameters };
  };
  return { ask, link, clock, small, metrics };
}

test('rows below the confidence are answered by the bigger model, the others are not sent', async () => {
  const { ask, link } = setUp();
  const { data, parameters } = await ask([6, 1, 7, 2]);
  assert.deepEqual(data, [100, 0, -1, 100, 100, 0, -2, 100]);
  assert.deepEqual(parameters, { escalation: 'escalated', escalated_rows: 2, confidence: 0.5 });
  assert.match(Buffer.from(await link.calls[0]!.arrayBuffer()).toString('latin1'), /"shape":\[2,1\]/);
});

test('a sure answer is not escalated and not marked', async () => {
  const { ask, link } = setUp();
  assert.deepEqual(await ask([6]), { data: [100, 0], parameters: undefined });
  assert.equal(link.calls.length, 0);
});

test('with the link down the own answer comes, marked, and the link is left alone for a while', async () => {
  const { ask, link, clock } = setUp();
  link.isDown = true;
  assert.deepEqual(await ask([1]), {
    data: [0, 0],
    parameters: { escalation: 'link down', escalated_rows: 0, confidence: 0.5 },
  });
  await ask([1]);
  assert.equal(link.calls.length, 1);
  link.isDown = false;
  await clock.advance(linkDownMs);
  assert.equal((await ask([1])).parameters.escalation, 'escalated');
});

test('the budget is kept, and refills with time', async () => {
  const { ask, link, clock } = setUp({ ratePerSecond: 2 });
  const outcomes: string[] = [];
  for (let i = 0; i < 3; i++) outcomes.push((await ask([1])).parameters.escalation);
  await clock.advance(500);
  outcomes.push((await ask([1])).parameters.escalation);
  assert.deepEqual(outcomes, ['escalated', 'escalated', 'over budget', 'escalated']);
  assert.equal(link.calls.length, 3);
});

test('an escalated request is not escalated again', async () => {
  const { ask, link } = setUp();
  assert.deepEqual((await ask([1], { [escalatedHeader]: '1' })).data, [0, 0]);
  assert.equal(link.calls.length, 0);
});

test('outcomes are counted', async () => {
  const { ask, metrics } = setUp();
  await ask([1]);
  assert.match(
    metrics.expose(),
    /selvage_inference_escalations_total\{model="small","?outcome="escalated"\} 1/,
  );
});

test('outputs that do not fit are not mixed', () => {
  assert.equal(mergeRows({ a: fp32([1, 2], 1, 2) }, { b: fp32([1, 3], 1, 2, 3) }, [0]), undefined);
  const both = { a: fp32([1, 2], 1, 2), b: fp32([1, 2], 1, 2) };
  assert.equal(mergeRows(both, { a: fp32([1, 2], 3, 4) }, [0]), undefined, 'one of two outputs is missing');
});

test('confidences are the highest probabilities, of logits after a softmax', () => {
  assert.deepEqual(confidencesOf({ p: fp32([2, 2], 0.25, 0.75, 1, 0) }), Float32Array.of(0.75, 1));
  const [confidence] = confidencesOf({ l: fp32([1, 2], 0, Math.log(3)) })!;
  assert.ok(Math.abs(confidence! - 0.75) < 1e-6);
  assert.equal(confidencesOf({ x: fp32([2, 1], 1, 2) }), undefined);
});
