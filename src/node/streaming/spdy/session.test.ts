import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { until } from '../../../base/until.ts';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';
import { HeaderWriter } from './header-block.ts';
import { SpdySession, type SpdySessionOptions, streamsMax, unreadBytesMax } from './session.ts';
import type { SpdyStream } from './stream.ts';

/** A client that speaks frames, so that it can also speak wrong ones. */
function connect(t: TestContext, options: Partial<SpdySessionOptions> = {}) {
  const [client, server] = duplexPair();
  const streams: SpdyStream[] = [];
  const closed: (Error | undefined)[] = [];
  const session = new SpdySession(server, {
    accepts: () => true,
    onStream: (stream) => streams.push(stream),
    onClose: (error) => closed.push(error),
    ...options,
  });
  t.after(() => client.destroy());
  const received: Frame[] = [];
  const reader = new FrameReader();
  client.on('data', (chunk: Buffer) => received.push(...reader.push(chunk)));
  client.on('error', () => {});
  const headers = new HeaderWriter();
  const send = (...frames: Frame[]) => client.write(Buffer.concat(frames.map(encodeFrame)));
  const open = (streamId: number, isFinal = false, names: Record<string, string> = {}): Frame => {
    const block = headers.write(new Map(Object.entries(names)));
    return { type: 'synStream', streamId, isFinal, block };
  };
  return { client: client as Duplex, server, session, streams, closed, received, send, open };
}

const data = (streamId: number, text: string | Buffer, isFinal = false): Frame => ({
  type: 'data',
  streamId,
  isFinal,
  data: Buffer.from(text),
});
const typesOf = (frames: Frame[]) => frames.map(({ type }) => type);

test('a stream carries bytes both ways, and each side ends its own', async (t) => {
  const { send, open, streams, received } = connect(t);
  send(open(1, false, { streamtype: 'data' }), data(1, 'ping', true));
  const stream = await until('it is open', () => streams[0]);
  assert.equal(stream.headers.get('streamtype'), 'data');
  const [[text]] = await Promise.all([once(stream, 'data'), once(stream, 'end')]);
  assert.equal(String(text), 'ping');
  stream.end(Buffer.alloc(100_000, 'x'));
  await once(stream, 'close');
  await until('all has come', () => received.some((frame) => frame.type === 'data' && frame.isFinal));
  assert.equal(received[0]!.type, 'synReply');
  const sizes = received.flatMap((frame) => (frame.type === 'data' ? frame.data.length : []));
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    100_000,
  );
  assert.ok(Math.max(...sizes) <= 32 * 1024);
  assert.ok(!typesOf(received).includes('rstStream'));
});

test('destroying a stream resets it, and a reset destroys it', async (t) => {
  const { send, open, streams, received } = connect(t);
  send(open(1), open(3));
  await until('both are open', () => streams.length === 2);
  streams[0]!.destroy();
  const reset = await until('it is reset', () => received.find(({ type }) => type === 'rstStream'));
  assert.deepEqual(reset, { type: 'rstStream', streamId: 1, status: 5 });
  send({ type: 'rstStream', streamId: 3, status: 5 }, data(3, 'late'), {
    type: 'rstStream',
    streamId: 9,
    status: 1,
  });
  await until('it is destroyed', () => streams[1]!.destroyed);
  assert.equal(received.filter(({ type }) => type === 'rstStream').length, 1);
});

test('pings of the client are answered, others are not', async (t) => {
  const { send, received } = connect(t);
  send(
    { type: 'ping', id: 2 },
    { type: 'settings' },
    { type: 'windowUpdate', streamId: 0, delta: 1 },
    { type: 'ping', id: 1 },
  );
  await until('there is an answer', () => received.length > 0);
  assert.deepEqual(received, [{ type: 'ping', id: 1 }]);
});

test('what breaks the protocol ends the connection with its streams', async (t) => {
  const cases: [string, (c: ReturnType<typeof connect>) => unknown][] = [
    ['an even stream', ({ send, open }) => send(open(2))],
    ['a stream twice', ({ send, open }) => send(open(1), open(1))],
    ['an older stream', ({ send, open }) => send(open(5), open(3))],
    ['no SPDY', ({ client }) => client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    [
      'a wrong block',
      ({ send }) => send({ type: 'synStream', streamId: 1, isFinal: false, block: Buffer.from('?') }),
    ],
    [
      'a wrong reply',
      ({ send }) => send({ type: 'synReply', streamId: 1, isFinal: false, block: Buffer.from('?') }),
    ],
  ];
  for (const [what, breakIt] of cases) {
    const one = connect(t);
    breakIt(one);
    await until(`${what} is noticed`, () => one.closed.length > 0);
    assert.equal(one.closed[0]?.name, 'ProtocolError', what);
    assert.ok(
      one.streams.every(({ destroyed }) => destroyed),
      what,
    );
    const goodbye = await until(what, () => one.received.find(({ type }) => type === 'goAway'));
    assert.equal(goodbye.type === 'goAway' && goodbye.status, 1, what);
  }
});

test('a client has no more streams than it may have, and refused ones are reset', async (t) => {
  const { send, open, streams, received } = connect(t, { accepts: (headers) => headers.get('bad') !== '1' });
  send(open(1, false, { bad: '1' }));
  for (let index = 1; index <= streamsMax + 1; index++) send(open(2 * index + 1));
  const resets = await until('two are refused', () => {
    const found = received.filter(({ type }) => type === 'rstStream');
    return found.length === 2 && found;
  });
  assert.equal(streams.length, streamsMax);
  assert.deepEqual(resets[1], { type: 'rstStream', streamId: 2 * streamsMax + 3, status: 3 });
  streams[0]!.destroy();
  send(open(2 * streamsMax + 5));
  await until('there is room again', () => streams.length === streamsMax + 1);
});

test('a reader that is behind holds the sender back', async (t) => {
  const { client, send, open, streams } = connect(t);
  send(open(1));
  const stream = await until('it is open', () => streams[0]);
  const piece = Buffer.alloc(16 * 1024);
  let sent = 0;
  while (send(data(1, piece)) && sent < 200) {
    sent++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sent < 200, 'the sender was never held back');
  assert.ok(stream.readableLength < 1024 * 1024);
  const drained = once(client, 'drain');
  stream.resume();
  await drained;
});

test('a stream that nobody reads does not hold up the others for ever', async (t) => {
  const { send, open, streams, received } = connect(t, { stuckMs: 20 });
  send(open(1), open(3));
  await until('both are open', () => streams.length === 2);
  send(data(1, Buffer.alloc(256 * 1024)));
  send(data(3, 'through'));
  assert.equal(String(await once(streams[1]!, 'data')), 'through');
  assert.ok(received.some((frame) => frame.type === 'rstStream' && frame.streamId === 1));
});

test('a client that asks and does not read is cut off before it costs memory', async (t) => {
  const { client, server, send, closed } = connect(t);
  client.pause();
  const pings = Array.from({ length: 4096 }, (): Frame => ({ type: 'ping', id: 1 }));
  const bytes = Buffer.concat(pings.map(encodeFrame));
  let largest = 0;
  for (let sent = 0; closed.length === 0 && sent < 4 * unreadBytesMax; sent += bytes.length) {
    send();
    client.write(bytes);
    await new Promise((resolve) => setImmediate(resolve));
    largest = Math.max(largest, server.writableLength);
  }
  assert.match(String(closed[0]), /wait to be read by the client/);
  assert.ok(largest < unreadBytesMax + 2 * bytes.length);
});

test('when the connection breaks, its streams end', async (t) => {
  const { client, send, open, streams, closed } = connect(t);
  send(open(1));
  const stream = await until('it is open', () => streams[0]);
  client.destroy();
  await until('the stream is gone', () => stream.destroyed && closed.length === 1);
  assert.equal(closed[0], undefined);
});
