import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Metrics } from '../base/metrics.ts';
import { dense, exportModel, input, rescaling, sequential } from '../ml/index.ts';
import { bake } from '../ml/portable.ts';
import type { Tensor } from './datatype.ts';
import { readPredictRequest, writePredictResponse } from './predict-protocol.ts';
import { createModelServer } from './server.ts';
import { type Session, startSession } from './session.ts';

const model = sequential([input([4], { dtype: 'uint8' }), rescaling(1 / 255), dense(3)], { seed: 1 });
const instances = [
  [10, 200, 30, 255],
  [1, 2, 3, 4],
];
let session: Session;
let server: ReturnType<typeof createModelServer>;

before(async () => {
  const { graph, weights } = exportModel(model);
  session = await startSession({ onnx: bake(graph, weights), threads: 1 });
  server = createModelServer({
    models: [{ name: 'pets', version: '3', labels: undefined, session }],
    metrics: new Metrics(),
    version: '0',
  });
});

after(() => session.close());

async function ask(path: string, body?: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const init = body === undefined ? {} : { method: 'POST', body };
  const response = await server.fetch(new Request(`http://model${path}`, init));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const predict = (request: unknown) => ask('/v1/models/pets:predict', JSON.stringify(request));

test('V1 lists the models and tells whether one is ready', async () => {
  assert.deepEqual(await ask('/v1/models'), { status: 200, body: { models: ['pets'] } });
  assert.deepEqual(await ask('/v1/models/pets'), { status: 200, body: { name: 'pets', ready: true } });
});

test('instances as nested lists, as named inputs, and whole inputs get the predictions of the library', async () => {
  const predicted = await model.predict({
    dtype: 'uint8',
    data: Uint8Array.from(instances.flat()),
    shape: [2, 4],
  });
  const forms = [
    { instances },
    { instances: instances.map((row) => ({ input: row })) },
    { inputs: instances },
    { inputs: { input: instances } },
  ];
  for (const form of forms) {
    const { status, body } = await predict(form);
    assert.equal(status, 200, JSON.stringify(body));
    const predictions = body.predictions as number[][];
    assert.deepEqual(
      predictions.map((row) => row.length),
      [3, 3],
    );
    for (const [i, value] of predictions.flat().entries())
      assert.ok(Math.abs(value - Number(predicted.data[i])) < 1e-5, `${value} ${predicted.data[i]}`);
  }
});

test('several outputs become one object for each instance', () => {
  const outputs: Record<string, Tensor> = {
    label: { datatype: 'INT64', shape: [2], data: BigInt64Array.of(9007199254740993n, 2n) },
    scores: { datatype: 'FP32', shape: [2, 2], data: Float32Array.of(0.5, 0.25, 1, 0) },
  };
  const answer = Buffer.from(writePredictResponse({ inputs: {}, instances: 2 }, outputs)).toString();
  assert.equal(
    answer,
    '{"predictions":[{"label":9007199254740993,"scores":[0.5,0.25]},{"label":2,"scores":[1,0]}]}',
  );
});

test('text instances may be base64', () => {
  const body = Buffer.from(
    JSON.stringify({ instances: ['a', { b64: Buffer.from('né').toString('base64') }] }),
  );
  const { inputs } = readPredictRequest(body, [{ name: 'text', datatype: 'BYTES', shape: [-1] }]);
  assert.deepEqual(inputs.text, { datatype: 'BYTES', shape: [2], data: ['a', 'né'] });
});

const deep = `{"instances":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
const refused: [string, string, number, RegExp][] = [
  ['no JSON', '{', 400, /is not JSON/],
  ['neither instances nor inputs', '{}', 400, /must have "instances" .* or "inputs"/],
  ['no instance', '{"instances":[]}', 400, /at least one/],
  ['ragged lists', '{"instances":[[1,2,3,4],[1,2]]}', 400, /ragged: expected a list of 4 .* got one of 2/],
  ['an unknown input', '{"instances":[{"x":[1,2,3,4]}]}', 400, /no input "x"/],
  ['instances that differ', '{"instances":[{"input":[1,2,3,4]},{"x":1}]}', 400, /the same inputs as/],
  ['a wrong shape', '{"instances":[1,2]}', 400, /must have shape \[-1,4\]/],
  ['text for numbers', '{"instances":[["a",1,2,3]]}', 400, /must be an integer that UINT8 holds, got "a"/],
  ['lists without end', deep, 400, /nested more than 32 deep/],
];

for (const [what, body, code, message] of refused) {
  test(`V1 refuses ${what} in KServe's form`, async () => {
    const answer = await ask('/v1/models/pets:predict', body);
    assert.equal(answer.status, code);
    assert.match(answer.body.error as string, message);
    assert.deepEqual(Object.keys(answer.body), ['error']);
  });
}

test('V1 tells an unknown model, an unknown verb and a broken name', async () => {
  assert.equal((await ask('/v1/models/cars:predict', '{}')).status, 404);
  assert.equal((await ask('/v1/models/pets:explain', '{}')).status, 404);
  assert.equal((await ask('/v1/models/%ff')).status, 400);
  assert.equal((await ask('/v1/models/pets:predict')).status, 405);
});
