import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Metrics } from '../../base/metrics.ts';
import { until } from '../../base/until.ts';
import { dense, exportModel, input, sequential } from '../../ml/index.ts';
import { bodyBytesMax } from '../body.ts';
import { callGrpc, frameOf } from '../fixtures/grpc-client.ts';
import { identityModel } from '../fixtures/identity-model.ts';
import { type ModelRepository, openRepository } from '../repository.ts';
import { createModelServer } from '../server.ts';
import { startSession } from '../session.ts';
import { createGrpcServer } from './listen.ts';
import { messages } from './messages.ts';
import { decodeMessage, depthMax, encodeMessage, type Message, type Value } from './wire.ts';

const model = sequential([input([4]), dense(3)], { seed: 1 });
let folder: string;
let repository: ModelRepository;
let listener: http2.Http2Server;
let client: http2.ClientHttp2Session;
let recorded: Record<string, Buffer>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grpc-'));
  const { graph, weights } = exportModel(model);
  await mkdir(join(folder, 'plain'));
  await writeFile(join(folder, 'plain', 'graph.onnx'), graph);
  await writeFile(join(folder, 'plain', 'weights.safetensors'), weights);
  await mkdir(join(folder, 'types'));
  await writeFile(join(folder, 'types', 'model.onnx'), identityModel());
  repository = openRepository({ folder, start: (_name, onnx) => startSession({ onnx, threads: 1 }) });
  for (const { name } of await repository.index()) await repository.load(name);
  const server = createModelServer({ models: [], repository, metrics: new Metrics(), version: '7' });
  listener = createGrpcServer(server).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  client = http2.connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  const text = await readFile(new URL('./fixtures/tritonclient.json', import.meta.url), 'utf8');
  recorded = Object.fromEntries(
    Object.entries(JSON.parse(text) as Record<string, string>).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64'),
    ]),
  );
});

after(async () => {
  client.close();
  await new Promise((resolve) => listener.close(resolve));
  await repository.close();
  await rm(folder, { recursive: true });
});

const pathOf = (method: string) => `/inference.GRPCInferenceService/${method}`;
const call = (method: string, bytes: Uint8Array, options?: Parameters<typeof callGrpc>[3]) =>
  callGrpc(client, pathOf(method), bytes, options);

async function ask(method: string, response: Message, request: Message = {}, value: Value = {}) {
  const { status, message, body } = await call(method, encodeMessage(request, value));
  assert.equal(status, 0, message);
  return decodeMessage(response, body);
}

async function inferBytes(bytes: Uint8Array, options?: Parameters<typeof callGrpc>[3]) {
  const { status, message, body } = await call('ModelInfer', bytes, options);
  assert.equal(status, 0, message);
  return decodeMessage(messages.inferResponse, body);
}

test('health and metadata answer as over HTTP', async () => {
  assert.deepEqual(await ask('ServerLive', messages.serverLive), { live: true });
  assert.deepEqual(await ask('ServerReady', messages.ready), { ready: true });
  const named = (name: string, version = '') => ({ name, version });
  const isReady = (value: Value) => ask('ModelReady', messages.ready, messages.nameAndVersion, value);
  assert.deepEqual(await isReady(named('plain')), { ready: true });
  assert.deepEqual(await isReady(named('plain', '9')), {});
  assert.deepEqual(await isReady(named('none')), {});
  assert.equal((await ask('ServerMetadata', messages.serverMetadata)).version, '7');
  const { body } = await call('ModelMetadata', recorded.metadata!);
  const metadata = decodeMessage(messages.modelMetadata, body);
  assert.deepEqual(metadata.inputs, [{ name: 'input', datatype: 'FP32', shape: [-1, 4] }]);
  assert.match((metadata.properties as Record<string, string>).weights!, /^sha256:/);
  const health = await callGrpc(client, '/grpc.health.v1.Health/Check', Buffer.alloc(0));
  assert.deepEqual([health.status, [...health.body]], [0, [8, 1]]);
});

test("a request that tritonclient wrote gets the library's own numbers", async () => {
  const answer = await inferBytes(recorded.infer!);
  assert.equal(answer.id, 'r1');
  const raw = (answer.raw_output_contents as Uint8Array[])[0]!;
  const values = new Float32Array(Uint8Array.from(raw).buffer);
  const rows = Float32Array.of(1, 2, 3, 4, 0, -1, 0.5, 2);
  const predicted = await model.predict({ dtype: 'float32', data: rows, shape: [2, 4] });
  assert.deepEqual((answer.outputs as Value[])[0]!.shape, [2, 3]);
  for (const [i, value] of values.entries())
    assert.ok(Math.abs(value - Number(predicted.data[i])) < 1e-5, `${value} ${predicted.data[i]}`);
});

test('a packed request is read as a plain one', async () => {
  const packed = frameOf(gzipSync(recorded.infer!), true);
  const options = { frame: packed, headers: { 'grpc-encoding': 'gzip' } };
  assert.deepEqual(await inferBytes(recorded.infer!, options), await inferBytes(recorded.infer!));
});

const samples: [string, string, unknown[], Uint8Array][] = [
  ['BOOL', 'bool_contents', [true, false], Uint8Array.of(1, 0)],
  ['INT8', 'int_contents', [-128, 127], new Uint8Array(Int8Array.of(-128, 127).buffer)],
  ['INT16', 'int_contents', [-32768, 32767], new Uint8Array(Int16Array.of(-32768, 32767).buffer)],
  ['INT32', 'int_contents', [-(2 ** 31), 1], new Uint8Array(Int32Array.of(-(2 ** 31), 1).buffer)],
  ['INT64', 'int64_contents', [-(2n ** 63n), 1n], new Uint8Array(BigInt64Array.of(-(2n ** 63n), 1n).buffer)],
  ['UINT8', 'uint_contents', [0, 255], Uint8Array.of(0, 255)],
  ['UINT16', 'uint_contents', [0, 65535], new Uint8Array(Uint16Array.of(0, 65535).buffer)],
  ['UINT32', 'uint_contents', [0, 2 ** 32 - 1], new Uint8Array(Uint32Array.of(0, 2 ** 32 - 1).buffer)],
  [
    'UINT64',
    'uint64_contents',
    [0n, 2n ** 64n - 1n],
    new Uint8Array(BigUint64Array.of(0n, 2n ** 64n - 1n).buffer),
  ],
  ['FP32', 'fp32_contents', [0.5, -2], new Uint8Array(Float32Array.of(0.5, -2).buffer)],
  ['FP64', 'fp64_contents', [1e300, -2], new Uint8Array(Float64Array.of(1e300, -2).buffer)],
  [
    'BYTES',
    'bytes_contents',
    [Buffer.from('a'), Buffer.from('ü')],
    Uint8Array.of(1, 0, 0, 0, 97, 2, 0, 0, 0, 195, 188),
  ],
];
const half = new Uint8Array(Float16Array.of(0.5, -2).buffer);

test('every datatype goes in and out, typed or raw', async () => {
  const typed = samples.map(([datatype, field, values]) => ({
    name: datatype.toLowerCase(),
    datatype,
    shape: [2],
    contents: { [field]: values },
  }));
  const raw = samples.map(([datatype]) => ({ name: datatype.toLowerCase(), datatype, shape: [2] }));
  const fp16 = { name: 'fp16', datatype: 'FP16', shape: [2] };
  const contents = [...samples.map(([, , , bytes]) => bytes), half];
  const request = { model_name: 'types', inputs: [...raw, fp16], raw_input_contents: contents };
  const answer = await inferBytes(encodeMessage(messages.inferRequest, request));
  const names = (answer.outputs as { name: string }[]).map(({ name }) => name);
  const outputs = answer.raw_output_contents as Uint8Array[];
  for (const [datatype, , , bytes] of [...samples, ['FP16', '', [], half] as const])
    assert.deepEqual(
      Buffer.from(outputs[names.indexOf(`${datatype.toLowerCase()}_out`)]!),
      Buffer.from(bytes),
      datatype,
    );
  const alone = encodeMessage(messages.inferRequest, { model_name: 'types', inputs: typed });
  // FP16 has no typed contents, so that this model, which wants it, says what is missing: all else was read.
  assert.match((await call('ModelInfer', alone)).message, /input "fp16" is missing/);
});

test('BF16 is widened to FP32', async () => {
  const raw_input_contents = [Uint8Array.of(0x80, 0x3f, 0, 0xc0, 0, 0, 0, 0)];
  const inputs = [{ name: 'input', datatype: 'BF16', shape: [1, 4] }];
  const bytes = encodeMessage(messages.inferRequest, { model_name: 'plain', inputs, raw_input_contents });
  const [raw] = (await inferBytes(bytes)).raw_output_contents as Uint8Array[];
  const predicted = await model.predict({
    dtype: 'float32',
    data: Float32Array.of(1, -2, 0, 0),
    shape: [1, 4],
  });
  const values = new Float32Array(Uint8Array.from(raw!).buffer);
  assert.ok(values.every((value, i) => Math.abs(value - Number(predicted.data[i])) < 1e-5));
});

test('the repository is listed, and models are unloaded and loaded', async () => {
  const { body } = await call('RepositoryIndex', recorded.index!);
  const index = decodeMessage(messages.indexResponse, body).models as { name: string; state: string }[];
  assert.deepEqual(
    index.map(({ name, state }) => `${name} ${state}`),
    ['plain READY', 'types READY'],
  );
  assert.equal((await call('RepositoryModelUnload', recorded.load!)).status, 0);
  assert.equal((await call('ModelInfer', recorded.infer!)).status, 5);
  assert.equal((await call('RepositoryModelLoad', recorded.load!)).status, 0);
  assert.equal((await call('ModelInfer', recorded.infer!)).status, 0);
});

const plain = (input: Value, more: Value = {}) =>
  encodeMessage(messages.inferRequest, {
    model_name: 'plain',
    inputs: [{ name: 'input', datatype: 'FP32', shape: [1, 4], ...input }],
    ...more,
  });
const four = { fp32_contents: [1, 2, 3, 4] };
const refused: [string, Uint8Array, number, RegExp][] = [
  ['an unknown model', encodeMessage(messages.inferRequest, { model_name: 'x' }), 5, /no model "x"/],
  ['no inputs', encodeMessage(messages.inferRequest, { model_name: 'plain' }), 3, /at least one tensor/],
  [
    'a wrong datatype',
    plain({ datatype: 'INT32', contents: { int_contents: [1, 2, 3, 4] } }),
    3,
    /must be FP32/,
  ],
  ['contents of another type', plain({ contents: { int_contents: [1] } }), 3, /belongs into fp32_contents/],
  [
    'too few contents',
    plain({ contents: { fp32_contents: [1] } }),
    3,
    /holds 4 elements, fp32_contents has 1/,
  ],
  ['both contents', plain({ contents: four }, { raw_input_contents: [Buffer.alloc(16)] }), 3, /beside raw/],
  ['raw bytes of another length', plain({}, { raw_input_contents: [Buffer.alloc(15)] }), 3, /needs 16 bytes/],
  [
    'raw bytes of more tensors',
    plain({}, { raw_input_contents: [Buffer.alloc(16), Buffer.alloc(1)] }),
    3,
    /has 2 elements/,
  ],
  ['a negative extent', plain({ shape: [-1, 4], contents: four }), 3, /non-negative/],
  ['a huge shape', plain({ shape: [2 ** 40, 2 ** 12], contents: four }), 3, /more than the/],
  ['an unknown output', plain({ contents: four }, { outputs: [{ name: 'x' }] }), 3, /no output "x"/],
  ['bytes that are no message', Buffer.of(255, 255, 255), 3, /can't be read: the message ends/],
];

for (const [what, bytes, status, text] of refused) {
  test(`${what} is refused with its status`, async () => {
    const answer = await call('ModelInfer', bytes);
    assert.equal(answer.status, status, answer.message);
    assert.match(answer.message, text);
  });
}

test('calls that are no gRPC, or no call of the service, are refused', async () => {
  assert.equal((await call('None', Buffer.alloc(0))).status, 12);
  const notGrpc = await call('ModelInfer', recorded.infer!, { headers: { 'content-type': 'text/plain' } });
  assert.equal(notGrpc.headers[':status'], 415);
  const cut = frameOf(recorded.infer!).subarray(0, 20);
  assert.equal((await call('ModelInfer', recorded.infer!, { frame: cut })).status, 13);
  const brotli = { frame: frameOf(recorded.infer!, true), headers: { 'grpc-encoding': 'br' } };
  assert.equal((await call('ModelInfer', recorded.infer!, brotli)).status, 12);
});

test('a decompression bomb and a message beyond the limit end with RESOURCE_EXHAUSTED', async () => {
  const bomb = frameOf(gzipSync(Buffer.alloc(bodyBytesMax + 1)), true);
  const answer = await call('ModelInfer', Buffer.alloc(0), {
    frame: bomb,
    headers: { 'grpc-encoding': 'gzip' },
  });
  assert.equal(answer.status, 8, answer.message);
  const claimed = frameOf(Buffer.alloc(10));
  claimed.writeUInt32BE(bodyBytesMax + 1, 1);
  assert.equal((await call('ModelInfer', Buffer.alloc(0), { frame: claimed })).status, 8);
});

test('mutated messages get an answer or a status, never a crash', async () => {
  const seed = Date.now() % 2 ** 32;
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const seen = new Set<number>();
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from([recorded.infer!, recorded.typed!, recorded.text!][random(3)]!);
    for (let i = random(4); i >= 0; i--) bytes[random(bytes.length)] = random(256);
    const { status, message } = await call('ModelInfer', bytes.subarray(0, bytes.length - random(3)));
    assert.ok([0, 3, 5].includes(status), `seed ${seed}, round ${round}: ${status} ${message}`);
    seen.add(status);
  }
  assert.ok(seen.has(3), `seed ${seed}: nothing was refused`);
});

test('messages that are nested without end are refused', () => {
  const recursive: Record<string, Message[string]> = {};
  recursive.inner = { number: 1, type: recursive };
  let bytes: Buffer = Buffer.alloc(0);
  for (let i = 0; i <= depthMax + 1; i++) bytes = Buffer.concat([Buffer.of(10, bytes.length), bytes]);
  assert.throws(() => decodeMessage(recursive, bytes), /nested more than/);
});

test('requests for an inference and their answers are logged, as over HTTP', async (t) => {
  const sent: { type: string | null; id: string | null; message: Value }[] = [];
  const sink = http.createServer(async (request, response) => {
    const isRequest = request.headers['ce-type'] === 'org.kubeflow.serving.inference.request';
    const message = isRequest ? messages.inferRequest : messages.inferResponse;
    assert.equal(request.headers['content-type'], 'application/x-protobuf');
    sent.push({
      type: String(request.headers['ce-type']).split('.').at(-1)!,
      id: String(request.headers['ce-id']),
      message: decodeMessage(message, await buffer(request)),
    });
    response.end();
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const source = { inferenceService: 'plain', namespace: 'ns', component: 'predictor', endpoint: 'default' };
  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`;
  const payloadLog = { url, mode: 'all' as const, source };
  const server = createModelServer({
    models: [],
    repository,
    metrics: new Metrics(),
    version: '7',
    payloadLog,
  });
  const logging = createGrpcServer(server).listen(0, '127.0.0.1');
  await once(logging, 'listening');
  const own = http2.connect(`http://127.0.0.1:${(logging.address() as AddressInfo).port}`);
  t.after(() => {
    own.close();
    logging.close();
    sink.close();
  });
  const request = {
    model_name: 'plain',
    id: 'r1',
    inputs: [{ name: 'input', datatype: 'FP32', shape: [1, 4], contents: { fp32_contents: [1, 2, 3, 4] } }],
  };
  const { status } = await callGrpc(own, pathOf('ModelInfer'), encodeMessage(messages.inferRequest, request));
  assert.equal(status, 0);
  await until('two events are sent', () => sent.length === 2, 60_000);
  assert.deepEqual(
    sent.map(({ type, id, message }) => [type, id, message.model_name]),
    [
      ['request', 'r1', 'plain'],
      ['response', 'r1', 'plain'],
    ],
  );
});
