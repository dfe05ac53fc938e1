import assert from 'node:assert/strict';
import { once } from 'node:events';
import type http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Metrics } from '../base/metrics.ts';
import { bodyBytesMax } from './body.ts';
import { createHttpServer, headBytesMax } from './listen.ts';
import { readOptions } from './options.ts';
import { createModelServer } from './server.ts';
import type { Session } from './session.ts';

let listener: http.Server;
let port: number;

before(async () => {
  const session: Session = {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
    run: async ({ x }) => ({ y: x! }),
    close: async () => {},
  };
  const models = [{ name: 'm', version: '1', labels: undefined, session }];
  const server = createModelServer({ models, metrics: new Metrics(), version: '0' });
  listener = createHttpServer(server.handle).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  port = (listener.address() as AddressInfo).port;
});

after(() => {
  listener.closeAllConnections();
  listener.close();
});

const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [2], data: [1, 2] }] });

/** What the server answers to these bytes until it closes the connection, or until `text` came. */
async function exchange(bytes: string, text: RegExp): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(bytes);
  let answer = '';
  for await (const chunk of socket) {
    answer += chunk;
    if (text.test(answer)) break;
  }
  socket.destroy();
  assert.match(answer, text);
  return answer;
}

test('an infer request over a real connection is answered, chunked or with its length', async () => {
  const url = `http://127.0.0.1:${port}/v2/models/m/infer`;
  const answer = await fetch(url, { method: 'POST', body });
  assert.deepEqual((await answer.json()).outputs, [
    { name: 'y', datatype: 'FP32', shape: [2], data: [1, 2] },
  ]);
  const chunked = `POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  await exchange(chunked, /^HTTP\/1.1 200 .*"data":\[1,2\]/s);
});

test('a body that is too long is refused before it comes', async () => {
  const head = `POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\ncontent-length: ${bodyBytesMax + 1}\r\n\r\n`;
  const answer = await exchange(head, /HTTP\/1.1 413 .*"error":"a request may have/s);
  assert.match(answer, /connection: close/i);
});

test('what is no HTTP, and a head that is too long, get the error form', async () => {
  await exchange('nonsense\r\n\r\n', /^HTTP\/1.1 400 .*\{"error":"the request is not HTTP/s);
  const long = `GET /v2 HTTP/1.1\r\nx: ${'y'.repeat(2 * headBytesMax)}\r\n\r\n`;
  await exchange(long, /^HTTP\/1.1 431 .*\{"error"/s);
});

test('HEAD and targets with a query or a whole URL are understood', async () => {
  const response = await fetch(`http://127.0.0.1:${port}/v2/health/ready?verbose`, { method: 'HEAD' });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '');
  await exchange(`GET http://m/v2/health/live HTTP/1.1\r\nhost: m\r\n\r\n`, /"live":true/);
});

test('options have defaults, and wrong ones are named', () => {
  const { port, grpcPort, watchMs, escalation } = readOptions({});
  assert.deepEqual([port, grpcPort, watchMs, escalation], [8080, 8081, 1000, undefined]);
  const joint = readOptions({ ESCALATE_URL: 'http://big/', ESCALATE_BELOW: '0.8', GRPC_PORT: '0' });
  assert.deepEqual(joint.escalation, { url: 'http://big/', below: 0.8, ratePerSecond: 10, timeoutMs: 1000 });
  assert.equal(joint.grpcPort, 0);
  assert.throws(
    () => readOptions({ BATCH_ROWS_MAX: '99' }),
    /\$BATCH_ROWS_MAX must be a number from 1 to 32, got "99"/,
  );
  assert.throws(() => readOptions({ ESCALATE_URL: 'big' }), /\$ESCALATE_URL must be the http:\/\/ URL/);
});
