import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Metrics } from '../base/metrics.ts';
import { dense, exportModel, input, rescaling, sequential } from '../ml/index.ts';
import { readModelFolder } from './model-folder.ts';
import { createModelServer } from './server.ts';
import { type Session, startSession } from './session.ts';

const labels = ['cat', 'dog', 'frog'];
const model = sequential([input([4], { dtype: 'uint8' }), rescaling(1 / 255), dense(3)], { seed: 1 });
let folder: string;
let session: Session;
let server: ReturnType<typeof createModelServer>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serving-'));
  const { graph, weights, metadata } = exportModel(model, { labels });
  await writeFile(join(folder, 'graph.onnx'), graph);
  await writeFile(join(folder, 'weights.safetensors'), weights);
  await writeFile(join(folder, 'config.json'), JSON.stringify(metadata));
  const { onnx, labels: read } = await readModelFolder(folder);
  session = await startSession({ onnx, threads: 1 });
  server = createModelServer({
    models: [{ name: 'pets', version: '3', labels: read, session }],
    metrics: new Metrics(),
    version: '0',
  });
});

after(async () => {
  await session.close();
  await rm(folder, { recursive: true });
});

const get = (path: string) => server.fetch(new Request(`http://model${path}`));
const post = (body: BodyInit, headers: Record<string, string> = {}, path = '/v2/models/pets/infer') =>
  server.fetch(new Request(`http://model${path}`, { method: 'POST', body, headers }));
const answerOf = async (response: Response) => ({ status: response.status, body: await response.json() });
const row = [10, 200, 30, 255];
const jsonRequest = (change: object = {}) =>
  JSON.stringify({
    id: 'r1',
    inputs: [{ name: 'input', shape: [1, 4], datatype: 'UINT8', data: row, ...change }],
  });

async function expectedLogits(): Promise<number[]> {
  const predicted = await model.predict({ dtype: 'uint8', data: Uint8Array.from(row), shape: [1, 4] });
  return Array.from(predicted.data, Number);
}

test('health, server and model metadata have the shape of the protocol', async () => {
  assert.deepEqual(await answerOf(await get('/v2/health/live')), { status: 200, body: { live: true } });
  assert.deepEqual(await answerOf(await get('/v2/health/ready')), { status: 200, body: { ready: true } });
  assert.deepEqual(await answerOf(await get('/v2/models/pets/ready')), {
    status: 200,
    body: { name: 'pets', ready: true },
  });
  assert.deepEqual((await answerOf(await get('/v2'))).body.extensions, [
    'binary_tensor_data',
    'classification',
    'model_repository',
    'model_repository(unload_dependents)',
    'model_configuration',
    'statistics',
  ]);
  assert.deepEqual(await answerOf(await get('/v2/models/pets/versions/3')), {
    status: 200,
    body: {
      name: 'pets',
      versions: ['3'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'input', datatype: 'UINT8', shape: [-1, 4] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, 3] }],
      parameters: { labels },
    },
  });
});

test('a JSON request gets the numbers that the library itself predicts', async () => {
  const { status, body } = await answerOf(await post(jsonRequest()));
  assert.equal(status, 200);
  assert.equal(body.id, 'r1');
  assert.equal(body.model_name, 'pets');
  assert.equal(body.model_version, '3');
  assert.deepEqual(body.outputs[0].shape, [1, 3]);
  const logits = await expectedLogits();
  for (const [i, value] of body.outputs[0].data.entries())
    assert.ok(Math.abs(value - logits[i]!) < 1e-5, `${value} ${logits[i]}`);
});

test('binary tensors go in and come out behind a JSON head of the stated length', async () => {
  const head = JSON.stringify({
    inputs: [{ name: 'input', shape: [2, 4], datatype: 'UINT8', parameters: { binary_data_size: 8 } }],
    parameters: { binary_data_output: true },
  });
  const body = Buffer.concat([Buffer.from(head), Buffer.from([...row, ...row])]);
  const response = await post(body, { 'inference-header-content-length': String(head.length) });
  assert.equal(response.headers.get('content-type'), 'application/octet-stream');
  const headLength = Number(response.headers.get('inference-header-content-length'));
  const answer = Buffer.from(await response.arrayBuffer());
  const { outputs } = JSON.parse(answer.subarray(0, headLength).toString());
  assert.deepEqual(outputs, [
    { name: 'output', datatype: 'FP32', shape: [2, 3], parameters: { binary_data_size: 24 } },
  ]);
  const values = new Float32Array(Uint8Array.from(answer.subarray(headLength)).buffer);
  const logits = await expectedLogits();
  assert.ok([...values].every((value, i) => Math.abs(value - logits[i % 3]!) < 1e-5));
});

const refused: [string, BodyInit, Record<string, string>, RegExp][] = [
  ['no JSON', '{', {}, /the request is not JSON/],
  ['no inputs', '{"inputs":[]}', {}, /at least one tensor/],
  ['an unknown input', jsonRequest({ name: 'x' }), {}, /no input "x"; its inputs are "input"/],
  ['a wrong datatype', jsonRequest({ datatype: 'FP32' }), {}, /must be UINT8, got FP32/],
  ['an unknown datatype', jsonRequest({ datatype: 'FP99' }), {}, /"FP99" is no datatype/],
  ['a wrong shape', jsonRequest({ shape: [4] }), {}, /must have shape \[-1,4\] .* got \[4\]/],
  ['too little data', jsonRequest({ data: [1] }), {}, /the shape holds 4 elements, data has 1/],
  ['a negative extent', jsonRequest({ shape: [-1, 4] }), {}, /non-negative integers/],
  ['a huge shape', jsonRequest({ shape: [1e9, 1e9] }), {}, /are more than the/],
  [
    'text among numbers',
    jsonRequest({ data: [1, 2, 'x', 4] }),
    {},
    /data\[2\] must be an integer that UINT8 holds, got "x"/,
  ],
  [
    'a head longer than the body',
    jsonRequest(),
    { 'inference-header-content-length': '99999' },
    /the body has only/,
  ],
  [
    'a head length that is no number',
    jsonRequest(),
    { 'inference-header-content-length': '-1' },
    /must be a number of bytes/,
  ],
  [
    'binary data that is not there',
    jsonRequest({ parameters: { binary_data_size: 4 } }),
    {},
    /0 bytes are left/,
  ],
];

for (const [what, body, headers, message] of refused) {
  test(`${what} is refused with 400 and the protocol's error form`, async () => {
    const answer = await answerOf(await post(body, headers));
    assert.equal(answer.status, 400);
    assert.match(answer.body.error, message);
  });
}

test('an unknown model, version, path and method are told apart', async () => {
  assert.match(
    (await answerOf(await get('/v2/models/cars'))).body.error,
    /no model "cars" here; served: "pets"/,
  );
  assert.match((await answerOf(await get('/v2/models/pets/versions/9'))).body.error, /no version "9"/);
  assert.equal((await get('/v3')).status, 404);
  assert.equal((await get('/v2/models/pets/infer')).status, 405);
});

test('a folder without a model says what was expected', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'serving-'));
  await assert.rejects(readModelFolder(empty), /expected graph.onnx with weights.safetensors, or model.onnx/);
  await rm(empty, { recursive: true });
});

test('bytes that are no ONNX are refused when the session starts', async () => {
  await assert.rejects(
    startSession({ onnx: new Uint8Array([1, 2, 3]), threads: 1 }),
    /ONNX Runtime can't load the model/,
  );
});
