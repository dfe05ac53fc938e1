import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { Metrics } from '../../base/metrics.ts';
import { dataStatistics } from '../../ml/export/statistics.ts';
import { tensor } from '../../ml/index.ts';
import { randomGenerator } from '../../ml/random.ts';
import type { Tensor } from '../datatype.ts';
import { noSettings } from '../model-folder.ts';
import { createModelServer } from '../server.ts';
import type { Session } from '../session.ts';
import { checkStatistics, Drift, rowsMin, stabilityIndex } from './drift.ts';
import { exampleBytesMax, examplesMax, HardExamples } from './hard-examples.ts';
import { lookedAtPerSecond } from './quality.ts';

const random = randomGenerator(3);
/** Rows of 4 x 4 pixels in three channels, of which the last is darker by `shift`. */
const pixels = (rows: number, shift: number): Uint8Array =>
  Uint8Array.from({ length: rows * 48 }, (_, i) => 100 * random() + 100 - (i % 3 === 2 ? shift : 0));
const statistics = dataStatistics(tensor(pixels(400, 0), [400, 4, 4, 3]), {
  probabilities: tensor(
    Float32Array.from({ length: 800 }, (_, i) => (i % 2 === 0 ? 0.95 : 0.05)),
    [400, 2],
  ),
});
const asInput = (rows: number, shift: number): Record<string, Tensor> => ({
  input: { datatype: 'UINT8', shape: [rows, 4, 4, 3], data: pixels(rows, shift) },
});
const confident = (rows: number, confidence = 0.95) => new Float32Array(rows).fill(confidence);

test('what looks like the training set does not drift', () => {
  const drift = new Drift(statistics);
  for (let i = 0; i < 30; i++) drift.observe(asInput(10, 0), confident(10));
  const report = drift.report();
  assert.equal(report.drifted, false);
  assert.ok(report.score < 0.1, String(report.score));
  const [red] = report.inputs.input!;
  assert.ok(Math.abs(red!.mean - red!.trainingMean) < 3 && Math.abs(red!.std - red!.trainingStd) < 3);
});

test('one shifted channel is told, and which', () => {
  const drift = new Drift(statistics);
  for (let i = 0; i < 30; i++) drift.observe(asInput(10, 60), confident(10));
  const { drifted, inputs } = drift.report();
  assert.equal(drifted, true);
  const [red, , blue] = inputs.input!;
  assert.ok(red!.score < 0.1 && blue!.score > 0.25, `${red!.score} ${blue!.score}`);
});

test('a model that is less sure than on its training set drifts, whatever its inputs', () => {
  const drift = new Drift(statistics);
  for (let i = 0; i < 30; i++) drift.observe(asInput(10, 0), confident(10, 0.55));
  const { drifted, confidence } = drift.report();
  assert.equal(drifted, true);
  assert.ok(confidence!.mean < 0.6 && confidence!.trainingMean > 0.9);
});

test('nothing is told of a few rows', () => {
  const drift = new Drift(statistics);
  drift.observe(asInput(rowsMin - 1, 60), confident(rowsMin - 1));
  assert.equal(drift.report().drifted, false);
});

test('drift passes when the inputs are again as they were', () => {
  const drift = new Drift(statistics);
  for (let i = 0; i < 50; i++) drift.observe(asInput(10, 60), confident(10));
  assert.equal(drift.report().drifted, true);
  for (let i = 0; i < 100; i++) drift.observe(asInput(10, 0), confident(10));
  assert.equal(drift.report().drifted, false);
});

test('NaN and infinities do not spoil the numbers', () => {
  const floats = dataStatistics(
    tensor(
      Float32Array.from({ length: 400 }, () => random()),
      [100, 4],
    ),
  );
  const drift = new Drift(floats);
  const data = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5);
  for (let i = 0; i < 200; i++)
    drift.observe({ input: { datatype: 'FP32', shape: [1, 4], data } }, undefined);
  const { inputs, score } = drift.report();
  assert.ok(Number.isFinite(score) && inputs.input![0]!.mean === 0.5);
});

test('the stability index is zero for equal shares and symmetric', () => {
  assert.ok(stabilityIndex([100, 100], [1000, 1000]) < 1e-6);
  assert.equal(stabilityIndex([10, 90], [90, 10]), stabilityIndex([90, 10], [10, 90]));
});

test('statistics that are damaged are refused', () => {
  assert.equal(checkStatistics(undefined), undefined);
  assert.deepEqual(checkStatistics(JSON.parse(JSON.stringify(statistics))), statistics);
  assert.throws(() => checkStatistics({}), /statistics.inputs: must be an object/);
  const bad = { inputs: { input: [{ mean: 1, std: 1, histogram: { edges: [0, 1], counts: [1, 2] } }] } };
  assert.throws(() => checkStatistics(bad), /statistics.inputs.input: must be a list/);
});

test('hard examples are bounded in number and bytes, the newest stay', () => {
  const examples = new HardExamples();
  const example = (confidence: number, length: number) => ({
    time: '',
    confidence,
    escalated: false,
    inputs: { x: { datatype: 'UINT8' as const, shape: [length], data: new Uint8Array(length) } },
  });
  for (let i = 0; i < examplesMax + 5; i++) examples.add(example(i, 10));
  assert.equal(examples.list().length, examplesMax);
  assert.equal(examples.list()[0]!.confidence, examplesMax + 4);
  examples.add(example(-1, exampleBytesMax));
  assert.deepEqual(
    examples.list().map(({ confidence }) => confidence),
    [-1],
  );
  examples.add(example(-2, exampleBytesMax + 1));
  assert.equal(examples.list().length, 1);
});

function setUp() {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const session: Session = {
    inputs: [{ name: 'input', datatype: 'UINT8', shape: [-1, 4, 4, 3] }],
    outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, 2] }],
    run: async ({ input }) => ({
      output: { datatype: 'FP32', shape: [input!.shape[0]!, 2], data: confident(input!.shape[0]! * 2, 0.5) },
    }),
    close: async () => {},
  };
  const models = [
    { name: 'm', version: '1', labels: undefined, session, settings: { ...noSettings, statistics } },
  ];
  const server = createModelServer({ models, metrics, version: '0', clock, hardBelow: 0.6 });
  const infer = async (rows: number, shift: number) => {
    const data = [...(asInput(rows, shift).input!.data as Uint8Array)];
    const body = JSON.stringify({
      inputs: [{ name: 'input', datatype: 'UINT8', shape: [rows, 4, 4, 3], data }],
    });
    const response = await server.fetch(new Request('http://m/v2/models/m/infer', { method: 'POST', body }));
    assert.equal(response.status, 200);
  };
  const get = async (path: string, method = 'GET') => {
    const response = await server.fetch(new Request(`http://m${path}`, { method }));
    return { status: response.status, text: await response.text() };
  };
  return { infer, get, clock };
}

test('the server tells drift on its path and as a metric', async () => {
  const { infer, get } = setUp();
  assert.equal(JSON.parse((await get('/v2/models/m/drift')).text).rows, 0);
  for (let i = 0; i < 20; i++) await infer(10, 60);
  const report = JSON.parse((await get('/v2/models/m/drift')).text);
  assert.equal(report.drifted, true);
  assert.equal(report.rows, 200);
  const found = /selvage_model_drift_score\{model="m"\} (\S+)/.exec((await get('/metrics')).text);
  assert.equal(Number(found?.[1]), report.score);
});

test('hard examples are fetched, and taken away with DELETE', async () => {
  const { infer, get } = setUp();
  await infer(2, 0);
  const { examples } = JSON.parse((await get('/v2/models/m/hard-examples')).text);
  assert.equal(examples.length, 2);
  assert.deepEqual(examples[0].inputs[0].shape, [1, 4, 4, 3]);
  assert.equal(examples[0].inputs[0].data.length, 48);
  assert.equal(JSON.parse((await get('/v2/models/m/hard-examples', 'DELETE')).text).examples.length, 2);
  assert.equal(JSON.parse((await get('/v2/models/m/hard-examples')).text).examples.length, 0);
});

test('only so many requests a second are looked at', async () => {
  const { infer, get, clock } = setUp();
  for (let i = 0; i < lookedAtPerSecond + 20; i++) await infer(1, 0);
  const rows = async () => JSON.parse((await get('/v2/models/m/drift')).text).rows;
  assert.equal(await rows(), lookedAtPerSecond);
  await clock.advance(1000);
  await infer(1, 0);
  assert.equal(await rows(), lookedAtPerSecond + 1);
});
