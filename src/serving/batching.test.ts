import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FakeClock, systemClock } from '../base/clock.ts';
import { Metrics } from '../base/metrics.ts';
import { conv2d, dense, exportModel, flatten, input, maxPool2d, rescaling, sequential } from '../ml/index.ts';
import { bake } from '../ml/portable.ts';
import { batchRowsMax, createBatchingSession, withBatching } from './batching.ts';
import type { Tensor } from './datatype.ts';
import { createModelServer } from './server.ts';
import { type Session, startSession, waitingMax } from './session.ts';

const network = sequential(
  [
    input([12, 12, 3], { dtype: 'uint8' }),
    rescaling(1 / 255),
    conv2d(8, 3, { activation: 'relu' }),
    maxPool2d(2),
    flatten(),
    dense(10),
  ],
  { seed: 1 },
);
let session: Session;

before(async () => {
  const { graph, weights } = exportModel(network);
  session = await startSession({ onnx: bake(graph, weights), threads: 2 });
});

after(() => session.close());

const image = (seed: number, rows = 1): Record<string, Tensor> => ({
  input: {
    datatype: 'UINT8',
    shape: [rows, 12, 12, 3],
    data: Uint8Array.from({ length: rows * 432 }, (_, i) => (i * 31 + seed * 97) % 256),
  },
});
const options = (change: object = {}) => ({
  model: 'm',
  metrics: new Metrics(),
  clock: systemClock,
  rowsMax: 8,
  latencyBudgetMs: 0,
  ...change,
});

/** A model whose runs end when the test says so: it doubles each row's only value; 13 fails. */
function createHeldSession() {
  const runs: { rows: number; end(): void }[] = [];
  const held: Session & { runs: typeof runs; closed: boolean } = {
    runs,
    closed: false,
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
    run({ x }) {
      const data = x!.data as Float32Array;
      return new Promise((resolve, reject) => {
        const end = () =>
          data.includes(13)
            ? reject(new Error('13 fails'))
            : resolve({ y: { datatype: 'FP32', shape: x!.shape, data: data.map((value) => value * 2) } });
        runs.push({ rows: x!.shape[0]!, end });
      });
    },
    async close() {
      held.closed = true;
    },
  };
  return held;
}
const value = (...values: number[]): Record<string, Tensor> => ({
  x: { datatype: 'FP32', shape: [values.length, 1], data: Float32Array.from(values) },
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('so many runs are under way at a time as there may be, and the rest becomes a batch', async () => {
  const held = createHeldSession();
  const batching = createBatchingSession(held, options({ concurrency: 2 }));
  const answers = [1, 2, 3, 4].map((each) => batching.run(value(each)));
  assert.deepEqual(
    held.runs.map(({ rows }) => rows),
    [1, 1],
  );
  const closed = batching.close();
  held.runs[1]!.end();
  await settle();
  assert.deepEqual(
    held.runs.map(({ rows }) => rows),
    [1, 1, 2],
  );
  held.runs[2]!.end();
  await settle();
  assert.ok(!held.closed, 'the first still runs');
  held.runs[0]!.end();
  await closed;
  assert.deepEqual(
    (await Promise.all(answers)).map(({ y }) => (y!.data as Float32Array)[0]),
    [2, 4, 6, 8],
  );
});

test('batched requests get the same bits as requests that run alone', async () => {
  const metrics = new Metrics();
  const batching = await withBatching(session, options({ metrics, rowsMax: batchRowsMax }));
  assert.notEqual(batching, session);
  const requests = Array.from({ length: 100 }, (_, i) => image(i, 1 + (i % 3)));
  const together = await Promise.all(requests.map((inputs) => batching.run(inputs)));
  for (const [i, inputs] of requests.entries()) {
    const alone = await session.run(inputs);
    assert.deepEqual(together[i], alone);
  }
  const runs = Number(/batch_rows_count\{model="m"\} (\d+)/.exec(metrics.expose())?.[1]);
  assert.ok(runs < 15, `${runs} runs for 100 requests`);
});

test('a request that finds the model idle runs at once, whatever the latency budget', () => {
  const held = createHeldSession();
  const batching = createBatchingSession(held, options({ latencyBudgetMs: 5 }));
  void batching.run(value(1));
  assert.equal(held.runs.length, 1);
});

test('what waits during a run goes together in the next, up to the most rows', async () => {
  const held = createHeldSession();
  const batching = createBatchingSession(held, options({ rowsMax: 4 }));
  const answers = [[1], [2, 3], [4], [5, 6], [7], [8, 9, 10, 11, 12]].map((row) =>
    batching.run(value(...row)),
  );
  for (let i = 0; i < 4; i++) {
    held.runs[i]!.end();
    await settle();
  }
  assert.deepEqual(
    held.runs.map(({ rows }) => rows),
    [1, 4, 2, 5],
  );
  const values = (await Promise.all(answers)).map(({ y }) => [...(y!.data as Float32Array)]);
  assert.deepEqual(values, [[2], [4, 6], [8], [10, 12], [14], [16, 18, 20, 22, 24]]);
});

test('with a latency budget a batch waits for more until it is full or the time is up', async () => {
  const held = createHeldSession();
  const clock = new FakeClock();
  const batching = createBatchingSession(held, options({ clock, rowsMax: 2, latencyBudgetMs: 5 }));
  void batching.run(value(1));
  void batching.run(value(2));
  held.runs[0]!.end();
  await settle();
  assert.equal(held.runs.length, 1);
  void batching.run(value(3));
  assert.deepEqual(held.runs[1]?.rows, 2);
  void batching.run(value(4));
  held.runs[1]!.end();
  await clock.advance(4);
  assert.equal(held.runs.length, 2);
  await clock.advance(1);
  assert.equal(held.runs.length, 3);
});

test('a request that fails a batch fails alone', async () => {
  const held = createHeldSession();
  const batching = createBatchingSession(held, options());
  const answers = [1, 2, 13, 3].map((each) => batching.run(value(each)));
  const settled = Promise.allSettled(answers);
  for (let i = 0; i < 5; i++) {
    held.runs[i]!.end();
    await settle();
  }
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
});

test('a full queue answers 503 with Retry-After', async () => {
  const held = createHeldSession();
  const models = [
    { name: 'm', version: '1', labels: undefined, session: createBatchingSession(held, options()) },
  ];
  const server = createModelServer({ models, metrics: new Metrics(), version: '0' });
  const body = '{"instances":[[1]]}';
  const ask = () => server.fetch(new Request('http://m/v1/models/m:predict', { method: 'POST', body }));
  const answers = Array.from({ length: waitingMax + 2 }, ask);
  const refused = await Promise.race(answers);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  for (let i = 0; i < held.runs.length; i++) {
    held.runs[i]!.end();
    await settle();
  }
  const codes = (await Promise.all(answers)).map(({ status }) => status);
  assert.equal(codes.filter((code) => code === 200).length, waitingMax + 1);
});

test('closing answers what waits and refuses what comes', async () => {
  const held = createHeldSession();
  const batching = createBatchingSession(held, options({ latencyBudgetMs: 5, clock: new FakeClock() }));
  const answers = [batching.run(value(1)), batching.run(value(2))];
  const closed = batching.close();
  assert.throws(() => batching.run(value(3)), /being unloaded/);
  held.runs[0]!.end();
  await settle();
  assert.equal(held.closed, false);
  held.runs[1]!.end();
  await Promise.all([...answers, closed]);
  assert.equal(held.closed, true);
});

test('a model whose rows depend on each other is not batched', async () => {
  const mixing: Session = {
    ...createHeldSession(),
    async run({ x }) {
      const data = x!.data as Float32Array;
      const sum = data.reduce((total, each) => total + each, 0);
      return { y: { datatype: 'FP32', shape: x!.shape, data: data.map(() => sum) } };
    },
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
  };
  assert.equal(await withBatching(mixing, options()), mixing);
});

test('a model of a fixed batch, and one with batching off, are not batched', async () => {
  const fixed: Session = {
    ...session,
    inputs: [{ name: 'input', datatype: 'UINT8', shape: [1, 12, 12, 3] }],
  };
  assert.equal(await withBatching(fixed, options()), fixed);
  assert.equal(await withBatching(session, options({ rowsMax: 1 })), session);
});
