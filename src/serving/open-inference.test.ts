import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { Metrics } from '../base/metrics.ts';
import { dense, exportModel, input, sequential } from '../ml/index.ts';
import { bodyBytesMax } from './body.ts';
import { fromBytes, fromJson, type TensorData } from './datatype.ts';
import { writeInferResponse } from './infer-answer.ts';
import { readInferRequest } from './inference-protocol.ts';
import { type ModelRepository, openRepository } from './repository.ts';
import { createModelServer } from './server.ts';
import { startSession } from './session.ts';

let folder: string;
let repository: ModelRepository;
let server: ReturnType<typeof createModelServer>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'repository-'));
  const { graph, weights } = exportModel(sequential([input([4]), dense(300)], { seed: 1 }));
  for (const name of ['a', 'b/1', 'b/12']) {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, 'graph.onnx'), graph);
    await writeFile(join(folder, name, 'weights.safetensors'), weights);
  }
  await mkdir(join(folder, 'broken'));
  await writeFile(join(folder, 'broken', 'model.onnx'), 'no ONNX');
  repository = openRepository({ folder, start: (_name, onnx) => startSession({ onnx, threads: 1 }) });
  server = createModelServer({ models: [], repository, metrics: new Metrics(), version: '0' });
  await repository.load('a');
});

after(async () => {
  await repository.close();
  await rm(folder, { recursive: true });
});

const ask = (path: string, init: RequestInit = {}) => server.fetch(new Request(`http://model${path}`, init));
const post = (path: string, body: BodyInit = '{}', headers: Record<string, string> = {}) =>
  ask(path, { method: 'POST', body, headers });
const request = JSON.stringify({
  inputs: [{ name: 'input', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
});
const infer = (body: BodyInit = request, headers: Record<string, string> = {}) =>
  post('/v2/models/a/infer', body, headers);
const errorOf = async (response: Response) => ((await response.json()) as { error: string }).error;

test('HEAD answers as GET does, without a body', async () => {
  for (const path of ['/v2/health/ready', '/v2/models/a/ready', '/v2/models/a/versions/1/ready', '/v2']) {
    const response = await ask(path, { method: 'HEAD' });
    assert.equal(response.status, 200, path);
    assert.equal(await response.text(), '');
  }
  assert.equal((await ask('/v2/models/a/versions/2/ready', { method: 'HEAD' })).status, 404);
});

test('a packed request is read, and an answer is packed for who takes it', async () => {
  const plain = await (await infer()).text();
  assert.equal(await (await infer(gzipSync(request), { 'content-encoding': 'gzip' })).text(), plain);
  assert.equal(await (await infer(deflateSync(request), { 'content-encoding': 'deflate' })).text(), plain);
  const packed = await infer(request, { 'accept-encoding': 'gzip' });
  assert.equal(packed.headers.get('content-encoding'), 'gzip');
  assert.equal(gunzipSync(await packed.arrayBuffer()).toString(), plain);
  const refused = await infer(request, { 'accept-encoding': 'gzip;q=0, deflate;q=0' });
  assert.equal(refused.headers.get('content-encoding'), null);
});

test('a decompression bomb, a broken and an unknown coding are refused', async () => {
  const bomb = gzipSync(Buffer.alloc(bodyBytesMax + 1));
  assert.ok(bomb.length < 100_000);
  assert.equal((await infer(bomb, { 'content-encoding': 'gzip' })).status, 413);
  assert.equal((await infer('{}', { 'content-encoding': 'gzip' })).status, 400);
  assert.equal((await infer('{}', { 'content-encoding': 'br' })).status, 415);
});

test('the index tells what is loaded, and load and unload change it', async () => {
  const index = async (body = '{}') => (await post('/v2/repository/index', body)).json();
  const before = [
    { name: 'a', version: '1', state: 'READY', reason: '' },
    { name: 'b', version: '', state: 'UNAVAILABLE', reason: 'not loaded' },
    { name: 'broken', version: '', state: 'UNAVAILABLE', reason: 'not loaded' },
  ];
  assert.deepEqual(await index(), before);
  assert.deepEqual(await index('{"ready":true}'), before.slice(0, 1));
  assert.equal((await ask('/v2/models/b')).status, 404);
  assert.equal((await post('/v2/repository/models/b/load')).status, 200);
  assert.deepEqual(((await (await ask('/v2/models/b')).json()) as { versions: string[] }).versions, ['12']);
  assert.equal((await post('/v2/repository/models/b/unload')).status, 200);
  assert.equal((await ask('/v2/models/b')).status, 404);
  const broken = await post('/v2/repository/models/broken/load');
  assert.equal(broken.status, 400);
  assert.match(await errorOf(broken), /can't load model "broken": ONNX Runtime can't load/);
});

test('only folders of the repository can be loaded', async () => {
  for (const name of ['none', '..', '%2e%2e%2f', 'a%2f..%2fb'])
    assert.equal((await post(`/v2/repository/models/${name}/load`)).status, 404, name);
});

test('a model that is reloaded under load answers every request', async () => {
  await cp(join(folder, 'a'), join(folder, 'c'), { recursive: true });
  await repository.load('c');
  const answers = Array.from({ length: 100 }, () => post('/v2/models/c/infer', request));
  await Promise.all([repository.load('c'), ...answers]);
  for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
});

test('outputs and parameters are checked', async () => {
  const change = (more: object) => JSON.stringify({ ...JSON.parse(request), ...more });
  const refused: [object, RegExp][] = [
    [{ outputs: [{ name: 'x' }] }, /no output "x"; its outputs are "output"/],
    [{ outputs: [{ name: 'output' }, { name: 'output' }] }, /asked for twice/],
    [{ parameters: { binary_data_output: 1 } }, /binary_data_output: must be true or false/],
    [{ outputs: [{ name: 'output', parameters: { binary_data: 'yes' } }] }, /must be true or false/],
    [{ parameters: [] }, /parameters: must be an object/],
  ];
  for (const [more, message] of refused) {
    const response = await infer(change(more));
    assert.equal(response.status, 400);
    assert.match(await errorOf(response), message);
  }
  const mixed = await infer(
    change({
      parameters: { binary_data_output: true },
      outputs: [{ name: 'output', parameters: { binary_data: false } }],
    }),
  );
  assert.equal(mixed.headers.get('content-type'), 'application/json');
});

test('FP16 goes in and out as binary only', () => {
  const head = (parameters: object, data?: number[]) =>
    JSON.stringify({ inputs: [{ name: 'x', shape: [2], datatype: 'FP16', parameters, data }] });
  assert.throws(() => readInferRequest(Buffer.from(head({}, [1, 2])), undefined), /FP16 has no JSON form/);
  const json = head({ binary_data_size: 4 });
  const bytes = new Uint8Array(Float16Array.of(1.5, -2).buffer);
  const read = readInferRequest(Buffer.concat([Buffer.from(json), bytes]), json.length);
  assert.deepEqual(read.inputs.x!.data, Float16Array.of(1.5, -2));
  const { body, headLength } = writeInferResponse({ name: 'm', version: '1' }, read, read.inputs);
  assert.deepEqual(body.subarray(headLength), bytes);
});

test('numbers that a datatype does not hold are refused instead of changed', () => {
  const holds: [Parameters<typeof fromJson>[0], unknown, TensorData][] = [
    ['INT8', -128, Int8Array.of(-128)],
    ['UINT64', 5, BigUint64Array.of(5n)],
    ['FP16', 0.5, Float16Array.of(0.5)],
  ];
  for (const [datatype, value, data] of holds) assert.deepEqual(fromJson(datatype, [value], 1, 'x'), data);
  for (const [datatype, value] of [
    ['UINT8', 256],
    ['INT8', -129],
    ['INT32', 1.5],
    ['UINT64', -1],
    ['INT64', 2 ** 60],
    ['INT32', '1'],
  ] as const)
    assert.throws(() => fromJson(datatype, [value], 1, 'x'), /data\[0\] must be an integer/);
});

test('BOOL bytes other than 0 and 1 are refused', () => {
  assert.throws(() => fromBytes('BOOL', Uint8Array.of(1, 2), 2, 'x'), /BOOL must be 0 or 1/);
});

test('BYTES that are no UTF-8 are refused', () => {
  assert.deepEqual(fromBytes('BYTES', Uint8Array.of(1, 0, 0, 0, 65), 1, 'x'), ['A']);
  assert.throws(() => fromBytes('BYTES', Uint8Array.of(1, 0, 0, 0, 255), 1, 'x'), /element 0 is not UTF-8/);
});
