import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Metrics } from '../../base/metrics.ts';
import { frameOf } from '../fixtures/grpc-client.ts';
import { heldNow } from '../held-bytes.ts';
import { createModelServer } from '../server.ts';
import type { Session } from '../session.ts';
import { createGrpcServer } from './listen.ts';
import { messages } from './messages.ts';
import { decodeMessage, encodeMessage, type Value } from './wire.ts';

const inputs = [{ name: 'x', datatype: 'FP32' as const, shape: [-1] }];
const outputs = [{ name: 'y', datatype: 'FP32' as const, shape: [-1] }];
/** Answers with what it was asked; how long that takes is the tests' to say. */
let gate: Promise<void> | undefined;
let running = 0;
let runningMost = 0;
const session: Session = {
  inputs,
  outputs,
  async run({ x }) {
    running += 1;
    runningMost = Math.max(runningMost, running);
    await gate;
    running -= 1;
    return { y: x! };
  },
  close: async () => {},
};
let listener: http2.Http2Server;
let client: http2.ClientHttp2Session;

before(async () => {
  const models = [{ name: 'm', version: '1', labels: undefined, session }];
  const server = createModelServer({ models, metrics: new Metrics(), version: '0' });
  listener = createGrpcServer(server).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  client = http2.connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
});

after(async () => {
  client.close();
  await new Promise((resolve) => listener.close(resolve));
});

const requestOf = (id: string, values: number[], more: Value = {}) =>
  encodeMessage(messages.inferRequest, {
    model_name: 'm',
    id,
    inputs: [{ name: 'x', datatype: 'FP32', shape: [values.length], contents: { fp32_contents: values } }],
    ...more,
  });

function open(headers: Record<string, string> = {}) {
  const stream = client.request({
    ':method': 'POST',
    ':path': '/inference.GRPCInferenceService/ModelStreamInfer',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  const answers: Value[] = [];
  let rest = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      answers.push(decodeMessage(messages.streamInferResponse, rest.subarray(5, end)));
      rest = rest.subarray(end);
    }
  });
  const ended = once(stream, 'trailers').then(([trailers]) => trailers as http2.IncomingHttpHeaders);
  return { stream, answers, ended };
}

const idsOf = (answers: Value[]) =>
  answers.map(({ infer_response }) => (infer_response as Value | undefined)?.id);

async function until(holds: () => boolean): Promise<void> {
  const endMs = Date.now() + 60_000;
  while (!holds()) {
    assert.ok(Date.now() < endMs, 'it did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('requests of a stream are answered in their order, also where frames come in pieces', async () => {
  const { stream, answers, ended } = open();
  const frames = Buffer.concat(['a', 'b', 'c'].map((id, i) => frameOf(requestOf(id, [i]))));
  // Cut within a head, within a message, and with two ends in one piece.
  for (const [from, to] of [
    [0, 3],
    [3, 20],
    [20, frames.length],
  ])
    stream.write(frames.subarray(from, to));
  await until(() => answers.length === 3);
  assert.deepEqual(idsOf(answers), ['a', 'b', 'c']);
  const { outputs: told, raw_output_contents, parameters } = answers[2]!.infer_response as Value;
  assert.deepEqual((told as Value[])[0], { name: 'y', datatype: 'FP32', shape: [1] });
  assert.deepEqual(Buffer.from((raw_output_contents as Uint8Array[])[0]!), Buffer.of(0, 0, 0, 0x40));
  assert.deepEqual({ ...(parameters as Value) }, { triton_final_response: { bool_param: true } });
  stream.end(frameOf(gzipSync(requestOf('late', [1])), true));
  assert.equal((await ended)['grpc-status'], '0');
  assert.match(
    String(answers[3]!.error_message),
    /grpc-encoding must be gzip/,
    'packed, and it did not say how',
  );
  await until(() => heldNow() === 0);
});

test('what is wrong with one request is told in its place, and the stream goes on', async () => {
  const { stream, answers, ended } = open({ 'grpc-encoding': 'gzip' });
  stream.write(frameOf(requestOf('none', [1], { model_name: 'none' })));
  stream.write(frameOf(Buffer.of(255, 255, 255)));
  stream.write(frameOf(Buffer.alloc(0)));
  stream.write(frameOf(Buffer.from('no gzip'), true));
  stream.end(frameOf(gzipSync(requestOf('fine', [1, 2])), true));
  assert.equal((await ended)['grpc-status'], '0');
  assert.deepEqual(idsOf(answers), ['none', undefined, undefined, undefined, 'fine']);
  const expected = [/no model "none"/, /message ends/, /no model ""/, /not gzip/, /^undefined$/];
  for (const [i, pattern] of expected.entries()) assert.match(String(answers[i]!.error_message), pattern);
});

test('a stream that is none of messages ends with a status', async () => {
  for (const [bytes, status] of [
    [Buffer.of(7, 0, 0, 0, 0), '13'],
    [frameOf(requestOf('cut', [1])).subarray(0, 9), '13'],
    [Buffer.of(0, 255, 255, 255, 255), '8'],
  ] as const) {
    const { stream, ended } = open();
    stream.end(bytes);
    assert.equal((await ended)['grpc-status'], status);
  }
  await until(() => heldNow() === 0);
});

test('only so many requests of a stream are under way, and one that is cut off leaves nothing', async () => {
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  runningMost = 0;
  const { stream, answers } = open();
  for (let i = 0; i < 60; i++) stream.write(frameOf(requestOf(String(i), [i])));
  await until(() => running === 16);
  opened.resolve();
  gate = undefined;
  await until(() => answers.length === 60);
  assert.equal(runningMost, 16);
  assert.deepEqual(
    idsOf(answers),
    Array.from({ length: 60 }, (_, i) => String(i)),
  );
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await until(() => heldNow() === 0);
});

test('a deadline ends a stream that would stay open', async () => {
  const { stream, answers, ended } = open({ 'grpc-timeout': '300m' });
  stream.write(frameOf(requestOf('a', [1])));
  assert.equal((await ended)['grpc-status'], '4');
  assert.ok(answers.length <= 1);
});
