import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { silentLog } from '../../base/log.ts';
import { until } from '../../base/until.ts';
import type { PodRecord } from '../pods/record.ts';
import { FakeShim, podOf } from '../testing.ts';
import { serveUpgrade } from './serve-upgrade.ts';
import { encodeFrame, type Frame, FrameReader } from './spdy/frames.ts';
import { HeaderWriter } from './spdy/header-block.ts';

/** A kubelet API with one pod, whose only open port, 80, echoes in capitals. */
async function startNode(t: TestContext) {
  const pod = createServer((socket) => {
    socket.on('data', (data) => socket.write(String(data).toUpperCase()));
    socket.on('error', () => {});
  });
  await once(pod.listen(0, '127.0.0.1'), 'listening');
  t.after(() => pod.close());
  const running = { kind: 'running' as const, startedAtMs: 0, isListening: true };
  const record: PodRecord = {
    uid: 'u1',
    namespace: 'default',
    name: 'web',
    pod: podOf(),
    acceptedAtMs: 0,
    ip: '10.42.0.2',
    containers: { web: { restartCount: 0, phase: running, isStarted: true, isReady: true } },
  };
  const dialed: number[] = [];
  const dial = async ({ port }: { podIP: string; port: number }): Promise<Socket> => {
    dialed.push(port);
    if (port !== 80) throw new Error('connection refused');
    return connect((pod.address() as AddressInfo).port, '127.0.0.1');
  };
  const server = createHttpServer();
  const shim = new FakeShim();
  const runtime = await shim.connect();
  const sources = { pods: () => [record], dial, runtime: () => runtime, log: silentLog };
  server.on('upgrade', (asked, socket, head) => void serveUpgrade({ request: asked, socket, head, sources }));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, record, shim, dialed };
}

interface Received {
  socket: WebSocket;
  messages: Buffer[];
  closed: Promise<number>;
}

async function webSocket(
  t: TestContext,
  port: number,
  path: string,
  ...protocols: string[]
): Promise<Received> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols);
  t.after(() => socket.terminate());
  const messages: Buffer[] = [];
  socket.on('message', (message: Buffer) => messages.push(message));
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  await once(socket, 'open');
  return { socket, messages, closed };
}

/** Upgrades to SPDY, or resolves to the refusal. */
function spdy(port: number, path: string, protocol: string): Promise<Socket | string> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol };
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', headers });
    asked.on('upgrade', (response, socket) => {
      assert.equal(response.headers['x-stream-protocol-version'], protocol);
      resolve(socket);
    });
    asked.on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve(`${response.statusCode} ${text}`);
    });
    asked.on('error', reject);
    asked.end();
  });
}

const data = (streamId: number, text: string, isFinal = false): Frame => ({
  type: 'data',
  streamId,
  isFinal,
  data: Buffer.from(text),
});

function opener() {
  const writer = new HeaderWriter();
  return (streamId: number, headers: Record<string, string>): Frame => {
    const block = writer.write(new Map(Object.entries(headers)));
    return { type: 'synStream', streamId, isFinal: false, block };
  };
}

/** What came on a stream, and whether it has ended. */
function seen(frames: Frame[], streamId: number): { text: string; isOver: boolean } {
  const own = frames.flatMap((frame) => (frame.type === 'data' && frame.streamId === streamId ? frame : []));
  return { text: own.map(({ data }) => String(data)).join(''), isOver: own.some(({ isFinal }) => isFinal) };
}

async function forwardsTwo(send: (bytes: Buffer) => void, frames: Frame[]): Promise<void> {
  const open = opener();
  const sendFrames = (...all: Frame[]) => send(Buffer.concat(all.map(encodeFrame)));
  sendFrames(
    open(1, { streamtype: 'error', port: '80', requestid: '0' }),
    data(1, '', true),
    open(3, { streamtype: 'data', port: '80', requestid: '0' }),
    open(5, { streamtype: 'error', port: '81', requestid: '1' }),
    open(7, { streamtype: 'data', port: '81', requestid: '1' }),
    data(3, 'hello'),
  );
  await until('the pod has answered', () => seen(frames, 3).text === 'HELLO');
  sendFrames(data(3, '', true));
  await until('the streams have ended', () => [1, 3, 5, 7].every((id) => seen(frames, id).isOver));
  assert.equal(seen(frames, 1).text, '');
  assert.equal(seen(frames, 5).text, 'error forwarding port 81 of pod web: connection refused');
}

test('ports are forwarded over SPDY', async (t) => {
  const { port } = await startNode(t);
  const socket = await spdy(port, '/portForward/default/web', 'portforward.k8s.io');
  assert.ok(typeof socket !== 'string', String(socket));
  t.after(() => socket.destroy());
  const frames: Frame[] = [];
  const reader = new FrameReader();
  socket.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk)));
  await forwardsTwo((bytes) => socket.write(bytes), frames);
});

test('ports are forwarded over SPDY in WebSocket', async (t) => {
  const { port } = await startNode(t);
  const protocol = 'SPDY/3.1+portforward.k8s.io';
  const socket = await rawWebSocket(port, '/portForward/default/web', protocol);
  t.after(() => socket.destroy());
  const frames: Frame[] = [];
  const reader = new FrameReader();
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    // A server's message of less than 126 bytes has a head of two.
    while (received.length >= 2 && received.length >= 2 + received[1]!) {
      assert.equal(received[0], 0x82, 'messages are binary');
      frames.push(...reader.push(received.subarray(2, 2 + received[1]!)));
      received = received.subarray(2 + received[1]!);
    }
  });
  await forwardsTwo((bytes) => socket.write(message(bytes)), frames);
});

/** Not by the library, which refuses to ask for a subprotocol with a slash. */
function rawWebSocket(port: number, path: string, protocol: string): Promise<Socket> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    'sec-websocket-version': '13',
    'sec-websocket-protocol': protocol,
  };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers });
    asked.on('upgrade', (response, socket) => {
      assert.equal(response.headers['sec-websocket-protocol'], protocol);
      resolve(socket);
    });
    asked.on('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
    asked.on('error', reject);
    asked.end();
  });
}

/** A client's binary message, masked with zeros. */
function message(bytes: Buffer): Buffer {
  const head = Buffer.from([0x82, 0xfe, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(bytes.length, 2);
  return Buffer.concat([head, bytes]);
}

test('streams without a usable port are refused, and one without its partner is not dialed', async (t) => {
  const { port, dialed } = await startNode(t);
  const socket = await spdy(port, '/portForward/default/web', 'portforward.k8s.io');
  assert.ok(typeof socket !== 'string', String(socket));
  t.after(() => socket.destroy());
  const frames: Frame[] = [];
  const reader = new FrameReader();
  socket.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk)));
  const open = opener();
  const wrong: Record<string, string>[] = [
    {},
    { port: '0' },
    { port: '65536' },
    { port: '80x' },
    { port: '80', streamtype: 'stdin' },
  ];
  wrong.forEach((headers, index) => {
    socket.write(encodeFrame(open(2 * index + 1, { streamtype: 'data', ...headers })));
  });
  socket.write(encodeFrame(open(101, { streamtype: 'data', port: '80', requestid: '7' })));
  await until('the last is open', () => frames.some((frame) => frame.type === 'synReply'));
  assert.equal(frames.filter(({ type }) => type === 'rstStream').length, wrong.length);
  assert.deepEqual(dialed, []);
});

test('ports are forwarded over the channels that client libraries use', async (t) => {
  const { port } = await startNode(t);
  const path = '/portForward/default/web?port=80&port=81';
  const { socket, messages, closed } = await webSocket(t, port, path, 'v4.channel.k8s.io');
  const on = (channel: number) =>
    messages.filter((message) => message[0] === channel).map((each) => each.subarray(1));
  await until('the ports are named', () => messages.length >= 4);
  assert.deepEqual(
    [0, 1, 2, 3].map((channel) => on(channel)[0]!.readUInt16LE(0)),
    [80, 80, 81, 81],
  );
  socket.send(Buffer.from('\0hello'));
  await until('the pod has answered', () => String(on(0)[1] ?? '') === 'HELLO');
  await until('the failure is told', () => String(on(3)[1] ?? '').endsWith('connection refused'));
  socket.send(Buffer.from('\x09?'));
  assert.equal(await closed, 1003);
});

/** A command that answers in capitals, tells each size of its terminal, and ends with the code that it is given. */
function capitals(shim: FakeShim): void {
  shim.onProcess = async (request, process) => {
    process.resize = ({ columns, rows }) => void (process.stderr as PassThrough).write(`${columns}x${rows};`);
    let text = '';
    for await (const chunk of process.stdin as PassThrough) {
      text += chunk;
      (process.stdout as PassThrough).write(String(chunk).toUpperCase());
      if (text.endsWith('\x04')) break;
    }
    return { exitCode: request.kind === 'exec' ? Number(request.command[1]) : 3 };
  };
}

test('exec carries input, its end, output and the exit code over WebSocket', async (t) => {
  const { port, shim } = await startNode(t);
  capitals(shim);
  const path = '/exec/default/web/web?output=1&error=1&input=1&command=give&command=7';
  const { socket, messages, closed } = await webSocket(
    t,
    port,
    path,
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
  );
  assert.equal(socket.protocol, 'v5.channel.k8s.io');
  socket.send(Buffer.from('\0typed'));
  const textOf = (channel: number) =>
    messages
      .filter((message) => message[0] === channel)
      .map((message) => String(message.subarray(1)))
      .join('');
  await until('the command has answered', () => textOf(1) === 'TYPED');
  socket.send(Buffer.of(255, 0));
  assert.equal(await closed, 1000);
  const request = { kind: 'exec', id: 'u1/web/0', command: ['give', '7'], stdin: true, tty: false };
  assert.deepEqual(shim.processes, [request]);
  const status = JSON.parse(textOf(3));
  assert.equal(status.reason, 'NonZeroExitCode');
  assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '7' }]);
});

test('a terminal gets its size, line ends of its own, and one output', async (t) => {
  const { port, shim } = await startNode(t);
  capitals(shim);
  const path = '/exec/default/web/web?output=1&error=1&input=1&tty=1&command=give&command=0';
  const { socket, messages, closed } = await webSocket(t, port, path, 'v4.channel.k8s.io');
  socket.send(Buffer.from('\x04{"Width":111,"Height":33}'));
  socket.send(Buffer.from('\x04{"Width":-1,"Height":33}'));
  socket.send(Buffer.from('\0a\nb'));
  const shown = () =>
    messages.flatMap((message) => (message[0] === 1 ? String(message.subarray(1)) : [])).join('');
  await until('both are shown', () => shown().includes('A\r\nB') && shown().includes('111x33;'));
  assert.doesNotMatch(shown(), /-1x33/);
  socket.send(Buffer.from('\0\x04'));
  assert.equal(await closed, 1000);
});

test('attach carries input and ends well however the program ends', async (t) => {
  const { port, shim } = await startNode(t);
  capitals(shim);
  const path = '/attach/default/web/web?output=1&input=1';
  const { socket, messages, closed } = await webSocket(t, port, path, 'v4.channel.k8s.io');
  socket.send(Buffer.from('\0hello\x04'));
  assert.equal(await closed, 1000);
  assert.deepEqual(shim.processes, [{ kind: 'attach', id: 'u1/web/0', stdin: true }]);
  const last = messages.at(-1)!;
  assert.equal(last[0], 3);
  assert.deepEqual(JSON.parse(String(last.subarray(1))), { metadata: {}, status: 'Success' });
});

test('a command ends when its client goes', async (t) => {
  const { port, shim } = await startNode(t);
  const killed = Promise.withResolvers<void>();
  shim.onProcess = async (_, process) => {
    process.kill = killed.resolve;
    await killed.promise;
    return {};
  };
  const path = '/exec/default/web/web?output=1&command=wait';
  const { socket } = await webSocket(t, port, path, 'v5.channel.k8s.io');
  await until('it runs', () => shim.processes.length === 1);
  socket.terminate();
  await killed.promise;
});

const terminated = {
  kind: 'terminated' as const,
  exitCode: 0,
  reason: 'Completed',
  startedAtMs: 0,
  finishedAtMs: 0,
  containerId: 'u1/web/0',
};

test('what does not run, is not there or is not spoken is refused with a reason', async (t) => {
  const { port, record } = await startNode(t);
  const ask = (path: string, protocol: string) => spdy(port, path, protocol);
  assert.match(
    String(await ask('/portForward/default/nope', 'portforward.k8s.io')),
    /^404 pod "nope" does not exist/,
  );
  assert.match(
    String(await ask('/portForward/default/web', 'v9.k8s.io')),
    /^403 unable to upgrade: none of the protocols "v9/,
  );
  assert.match(
    String(await ask('/attach/default/web/nope', 'v4.channel.k8s.io')),
    /^400 container nope is not valid/,
  );
  assert.match(
    String(await ask('/else/default/web', 'v4.channel.k8s.io')),
    /^404 there is nothing to upgrade/,
  );
  record.containers.web!.phase = { ...terminated };
  assert.match(
    String(await ask('/portForward/default/web', 'portforward.k8s.io')),
    /^400 pod "web" is not running/,
  );
  assert.match(
    String(await ask('/exec/default/web/web', 'v4.channel.k8s.io')),
    /^400 container "web" of pod "web" is not/,
  );
  const refused = new WebSocket(`ws://127.0.0.1:${port}/exec/default/web/web`, 'v9.k8s.io');
  const [error] = await once(refused, 'error').catch((cause) => [cause]);
  assert.match(String(error), /400/);
});
