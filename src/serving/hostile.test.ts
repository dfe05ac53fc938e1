import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bodyBytesMax } from './body.ts';
import { callGrpc, frameOf } from './fixtures/grpc-client.ts';
import { flood, frame, frameTypes, headersOf, openRaw } from './fixtures/raw-http2.ts';
import { messages } from './grpc/messages.ts';
import { decodeMessage, encodeMessage } from './grpc/wire.ts';
import { heldBytesMax } from './held-bytes.ts';

/** What the process may ever have resident: what it weighs when idle, what requests hold, and as much again for the work on it. */
const residentBytesMax = 3 * heldBytesMax + 400 * 1024 * 1024;
const inferPath = '/inference.GRPCInferenceService/ModelInfer';
const mebibyte = 1024 * 1024;

let child: ChildProcess;
let ports: { http: number; grpc: number };
let errors = '';

before(async () => {
  const program = new URL('./fixtures/echo-process.ts', import.meta.url).pathname;
  child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr!.on('data', (chunk) => (errors += chunk));
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  const [http, grpc] = line.toString().split(' ').map(Number);
  ports = { http: http!, grpc: grpc! };
});

after(() => {
  child.kill();
});

const requestOf = (values: number[]) =>
  encodeMessage(messages.inferRequest, {
    model_name: 'echo',
    inputs: [{ name: 'fp32', datatype: 'FP32', shape: [values.length], contents: { fp32_contents: values } }],
  });

/** The server lives, answers both protocols, has logged nothing, and never took too much. */
async function expectWell(): Promise<void> {
  const inputs = [{ name: 'fp32', datatype: 'FP32', shape: [1], data: [7] }];
  const answer = await postJson({ inputs });
  assert.deepEqual(answer, { status: 200, data: [7] });
  const client = http2.connect(`http://127.0.0.1:${ports.grpc}`);
  const { status, body } = await callGrpc(client, inferPath, requestOf([7]));
  client.close();
  assert.equal(status, 0);
  const [raw] = decodeMessage(messages.inferResponse, body).raw_output_contents as Uint8Array[];
  assert.deepEqual(Buffer.from(raw!), Buffer.of(0, 0, 0xe0, 0x40));
  assert.equal(child.exitCode, null);
  assert.equal(errors, '');
  const resident =
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) * 1024;
  assert.ok(resident < residentBytesMax, `${resident} bytes were resident, ${residentBytesMax} may be`);
}

async function postJson(request: object) {
  const url = `http://127.0.0.1:${ports.http}/v2/models/echo/infer`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(request) });
  const answer = (await response.json()) as { outputs?: { data: number[] }[] };
  return { status: response.status, data: answer.outputs?.[0]?.data };
}

async function statusOf(path: string, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${ports.http}${path}`, { method: 'POST', body, headers });
  const text = await response.text();
  if (!response.ok) assert.equal(typeof JSON.parse(text).error, 'string', text);
  return response.status;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 60_000;
  while (!(await holds())) {
    assert.ok(Date.now() < endMs, 'it did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('uploads that stop halfway hold no more than there is, and small requests go on', async () => {
  const head = `POST /v2/models/echo/infer HTTP/1.1\r\nhost: m\r\ncontent-length: ${bodyBytesMax}\r\n\r\n`;
  const part = Buffer.alloc(mebibyte, 0x20);
  const answers: Buffer[] = [];
  const sockets = Array.from({ length: 6 }, () => {
    const socket = net.connect(ports.http, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => answers.push(chunk));
    return socket;
  });
  await Promise.all(
    sockets.map(async (socket) => {
      socket.write(head);
      await flood(socket, part, bodyBytesMax / mebibyte - 4);
    }),
  );
  await until(() => answers.length > 0);
  const refused = Buffer.concat(answers).toString();
  assert.match(refused, /^HTTP\/1.1 503 /);
  assert.match(refused, /retry-after: 1\r\n.*requests under way hold \d+ bytes already/is);
  await expectWell();
  for (const socket of sockets) socket.destroy();
  // What they held is free again.
  const large = new Uint8Array(40 * mebibyte).fill(0x20);
  await until(async () => (await statusOf('/v2/models/echo/infer', large)) === 400);
});

test('bodies that unpack without end are refused, many at a time too', async () => {
  const bomb = Uint8Array.from(gzipSync(Buffer.alloc(bodyBytesMax + mebibyte, 0x20)));
  const headers = { 'content-encoding': 'gzip' };
  const told = await Promise.all(
    Array.from({ length: 24 }, () => statusOf('/v2/models/echo/infer', bomb, headers)),
  );
  assert.ok(
    told.every((status) => status === 413 || status === 503),
    String(told),
  );
  assert.ok(told.includes(413));
  const client = http2.connect(`http://127.0.0.1:${ports.grpc}`);
  const statuses = await Promise.all(
    Array.from({ length: 24 }, async () => {
      const options = { frame: frameOf(bomb, true), headers: { 'grpc-encoding': 'gzip' } };
      return (await callGrpc(client, inferPath, Buffer.alloc(0), options)).status;
    }),
  );
  client.close();
  assert.ok(
    statuses.every((status) => status === 8 || status === 14),
    String(statuses),
  );
  await expectWell();
});

test('shapes and lists that say more than they hold are refused', async () => {
  for (const shape of [[2 ** 53 - 1], [2 ** 40, 2 ** 40], [1e308], Array(1000).fill(2), [-1], [0.5]]) {
    const inputs = [{ name: 'fp32', datatype: 'FP32', shape, data: [1] }];
    assert.equal((await postJson({ inputs })).status, 400, String(shape));
  }
  const deep = `{"inputs":${'['.repeat(2_000_000)}`;
  assert.equal(await statusOf('/v2/models/echo/infer', Uint8Array.from(Buffer.from(deep))), 400);
  await expectWell();
});

test('a picture that says it is vast, and many at a time, are refused', async () => {
  const header = Buffer.alloc(1024);
  header.set(Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));
  header.writeUInt32BE(50_000, 16);
  header.writeUInt32BE(50_000, 20);
  const type = { 'content-type': 'image/png' };
  const told = await Promise.all(
    Array.from({ length: 50 }, () => statusOf('/v2/models/pictures/infer', Uint8Array.from(header), type)),
  );
  assert.deepEqual([...new Set(told)], [400]);
  await expectWell();
});

test('headers of a call that are too many or too long end that call or connection alone', async () => {
  const long: [string, string][] = [['x-long', 'l'.repeat(1_000_000)]];
  const many = Array.from({ length: 5_000 }, (_, i) => [`x-${i}`, 'v'] as [string, string]);
  for (const more of [long, many]) {
    const socket = await openRaw(ports.grpc);
    const block = headersOf(inferPath, more);
    const pieces = Array.from({ length: Math.ceil(block.length / 16_000) }, (_, i) =>
      block.subarray(i * 16_000, (i + 1) * 16_000),
    );
    for (const [i, piece] of pieces.entries()) {
      const isLast = i === pieces.length - 1;
      socket.write(frame(i === 0 ? frameTypes.headers : frameTypes.continuation, isLast ? 4 : 0, 1, piece));
    }
    socket.resume();
    await expectWell();
    socket.destroy();
  }
});

test('continuations without end cost the connection', async () => {
  const socket = await openRaw(ports.grpc);
  socket.resume();
  socket.write(frame(frameTypes.headers, 0, 1, headersOf(inferPath)));
  const field = Buffer.concat([Buffer.of(0, 1), Buffer.from('x'), Buffer.of(100), Buffer.alloc(100, 0x61)]);
  const block = Buffer.concat(Array.from({ length: 100 }, () => field));
  await flood(socket, frame(frameTypes.continuation, 0, 1, block), 5_000);
  await until(() => socket.destroyed || socket.readableEnded || !socket.writable);
  await expectWell();
});

test('streams that are opened and reset without end cost the connection, or nothing', async () => {
  const socket = await openRaw(ports.grpc);
  socket.resume();
  const headers = headersOf(inferPath);
  for (let i = 0; i < 20_000 && !socket.destroyed && socket.writable; i++) {
    const stream = 2 * i + 1;
    const pair = [
      frame(frameTypes.headers, 4, stream, headers),
      frame(frameTypes.resetStream, 0, stream, Buffer.of(0, 0, 0, 8)),
    ];
    await flood(socket, Buffer.concat(pair), 1);
  }
  await expectWell();
  socket.destroy();
});

test('frames that say nothing, or break the rules, end no more than their connection', async () => {
  const opened = frame(frameTypes.headers, 4, 1, headersOf(inferPath));
  const floods: [string, Buffer, Buffer, number][] = [
    ['empty data', opened, frame(frameTypes.data, 0, 1), 50_000],
    ['pings', Buffer.alloc(0), frame(frameTypes.ping, 0, 0, Buffer.alloc(8)), 50_000],
    ['settings', Buffer.alloc(0), frame(frameTypes.settings, 0, 0, Buffer.of(0, 4, 0, 0, 255, 255)), 50_000],
    ['a window that grows by nothing', opened, frame(frameTypes.windowUpdate, 0, 1, Buffer.alloc(4)), 10],
    [
      'a window beyond all bounds',
      opened,
      frame(frameTypes.windowUpdate, 0, 0, Buffer.of(127, 255, 255, 255)),
      3,
    ],
    ['data of no stream', Buffer.alloc(0), frame(frameTypes.data, 0, 99, Buffer.alloc(100)), 10],
    ['a frame longer than agreed', opened, frame(frameTypes.data, 0, 1, Buffer.alloc(100_000)), 10],
    ['a frame of no type', Buffer.alloc(0), frame(99, 255, 1, Buffer.alloc(100)), 1_000],
  ];
  for (const [, first, repeated, times] of floods) {
    const socket = await openRaw(ports.grpc);
    socket.resume();
    socket.write(first);
    const batch = Math.min(times, 100);
    await flood(socket, Buffer.concat(Array(batch).fill(repeated)), times / batch);
    socket.destroy();
  }
  await expectWell();
});

test('answers that nobody takes hold no more than there is', async () => {
  // The client's window is zero: nothing of an answer may be sent to it.
  const client = http2.connect(`http://127.0.0.1:${ports.grpc}`, {
    settings: { initialWindowSize: 0 },
    maxSessionMemory: 1000,
  });
  client.on('error', () => {});
  const values = mebibyte;
  const body = frameOf(
    encodeMessage(messages.inferRequest, {
      model_name: 'echo',
      inputs: [{ name: 'fp32', datatype: 'FP32', shape: [values] }],
      raw_input_contents: [Buffer.alloc(values * 4)],
    }),
  );
  const statuses: unknown[] = [];
  for (let call = 0; call < 48; call++) {
    const headers = { 'content-type': 'application/grpc', te: 'trailers' };
    const stream = client.request({ ':method': 'POST', ':path': inferPath, ...headers });
    stream.on('error', () => {});
    stream.on('response', (told) => statuses.push(told['grpc-status']));
    stream.end(body);
  }
  // Of the first only the head comes, and a later one finds no room.
  await until(() => statuses.includes('14'));
  assert.ok(statuses.includes(undefined));
  await expectWell();
  client.destroy();
});

test('calls that never end keep nobody else out', async () => {
  const sockets = await Promise.all(Array.from({ length: 4 }, () => openRaw(ports.grpc)));
  for (const socket of sockets) {
    socket.resume();
    for (let call = 0; call < 300; call++)
      socket.write(frame(frameTypes.headers, 4, 2 * call + 1, headersOf(inferPath)));
  }
  await expectWell();
  for (const socket of sockets) socket.destroy();
});
