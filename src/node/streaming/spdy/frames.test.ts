import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, createDeflate } from 'node:zlib';
import { headerDictionary } from './dictionary.ts';
import { controlBytesMax, dataBytesMax, encodeFrame, type Frame, FrameReader } from './frames.ts';
import { HeaderReader, HeaderWriter, headerBlockBytesMax, headersMax } from './header-block.ts';

const frames: Frame[] = [
  { type: 'synStream', streamId: 1, isFinal: false, block: Buffer.from('block') },
  { type: 'synReply', streamId: 1, isFinal: true, block: Buffer.from('reply') },
  { type: 'headers', streamId: 3, isFinal: false, block: Buffer.from('more') },
  { type: 'data', streamId: 5, isFinal: true, data: Buffer.from('bytes') },
  { type: 'data', streamId: 0x7fffffff, isFinal: false, data: Buffer.alloc(0) },
  { type: 'rstStream', streamId: 5, status: 5 },
  { type: 'settings' },
  { type: 'ping', id: 7 },
  { type: 'windowUpdate', streamId: 0, delta: 65536 },
  { type: 'goAway', lastStreamId: 5, status: 0 },
];

test('every frame is read as it was written, however the bytes are cut', () => {
  const bytes = Buffer.concat(frames.map(encodeFrame));
  for (const size of [1, 3, 8, 13, bytes.length]) {
    const reader = new FrameReader();
    const read: Frame[] = [];
    for (let at = 0; at < bytes.length; at += size) read.push(...reader.push(bytes.subarray(at, at + size)));
    assert.deepEqual(read, frames, `in pieces of ${size}`);
  }
});

test('a frame has the layout of the draft', () => {
  const ping = encodeFrame({ type: 'ping', id: 1 });
  assert.equal(ping.toString('hex'), '800300060000000400000001');
  const data = encodeFrame({ type: 'data', streamId: 3, isFinal: true, data: Buffer.from('hi') });
  assert.equal(data.toString('hex'), '00000003010000026869');
});

test('malformed frames are refused, and so are large ones before they are received', () => {
  const refused = (hex: string, text: RegExp) =>
    assert.throws(() => new FrameReader().push(Buffer.from(hex.replaceAll(' ', ''), 'hex')), text, hex);
  refused('8002 0006 00000004 00000001', /SPDY version 2/);
  refused('8003 0005 00000000', /no frame type 5/);
  refused('8003 000a 00000000', /no frame type 10/);
  refused('8003 0001 00000004 00000001', /has 4 bytes, at least 10/);
  refused('8003 0003 00000004 00000001', /has 4 bytes, exactly 8/);
  refused('8003 0006 00000008 0000000100000000', /has 8 bytes, exactly 4/);
  refused('8003 0003 00000008 0000000000000001', /stream 0/);
  refused('00000000 00000001 61', /stream 0/);
  refused('8003 0001 00ffffff', new RegExp(`at most ${controlBytesMax}`));
  refused('00000001 00ffffff', new RegExp(`at most ${dataBytesMax}`));
});

test('a large frame that comes in small pieces costs time in proportion to its size', () => {
  const frame = encodeFrame({ type: 'data', streamId: 1, isFinal: false, data: Buffer.alloc(dataBytesMax) });
  const reader = new FrameReader();
  const startMs = performance.now();
  let count = 0;
  for (let at = 0; at < frame.length; at += 16) count += reader.push(frame.subarray(at, at + 16)).length;
  assert.equal(count, 1);
  // Copying what is there at each piece would move 32 GiB.
  assert.ok(performance.now() - startMs < 2_000);
});

/** Header blocks as Go's client writes them: one zlib stream, flushed after each block. */
async function compressed(...blocks: Buffer[]): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: headerDictionary, level: 9 });
  const written: Buffer[] = [];
  for (const block of blocks) {
    const parts: Buffer[] = [];
    const take = (part: Buffer) => parts.push(part);
    deflate.on('data', take);
    deflate.write(block);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    deflate.off('data', take);
    written.push(Buffer.concat(parts));
  }
  return written;
}

function plainBlock(headers: [string, string][]): Buffer {
  const text = (value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return Buffer.concat([length, Buffer.from(value)]);
  };
  const count = Buffer.alloc(4);
  count.writeUInt32BE(headers.length);
  return Buffer.concat([count, ...headers.flat().map(text)]);
}

test('header blocks of one zlib stream are read one by one', async () => {
  const sent = Array.from({ length: 2000 }, (_, index): [string, string][] => [
    ['streamtype', index % 2 === 0 ? 'error' : 'data'],
    ['port', '80'],
    ['requestid', String(index)],
  ]);
  const blocks = await compressed(...sent.map(plainBlock));
  const reader = new HeaderReader();
  for (const [index, block] of blocks.entries()) {
    assert.deepEqual([...reader.read(block)], sent[index], `block ${index}`);
  }
});

test('what is written can be read', () => {
  const writer = new HeaderWriter();
  const reader = new HeaderReader();
  for (const headers of [
    new Map(),
    new Map([['streamtype', 'stdin']]),
    new Map([
      ['a', 'é'],
      ['b', ''],
    ]),
  ]) {
    assert.deepEqual(reader.read(writer.write(headers)), headers);
  }
});

test('hostile header blocks are refused', async () => {
  const read = async (block: Buffer) => new HeaderReader().read((await compressed(block))[0]!);
  assert.throws(
    () => new HeaderReader().read(Buffer.from('not zlib at all')),
    /does not begin with the dictionary/,
  );
  assert.throws(() => new HeaderReader().read(Buffer.alloc(0)), /does not begin with the dictionary/);
  await assert.rejects(() => read(Buffer.alloc(headerBlockBytesMax + 1)), /too large/);
  await assert.rejects(() => read(Buffer.from([0, 0, 0, 1])), /cut short/);
  await assert.rejects(() => read(Buffer.from([0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0])), /cut short/);
  await assert.rejects(() => read(Buffer.from([0xff, 0xff, 0xff, 0xff])), /headers, at most/);
  const many = Array.from({ length: headersMax + 1 }, (_, index): [string, string] => [`h${index}`, '']);
  await assert.rejects(() => read(plainBlock(many)), /headers, at most/);
  await assert.rejects(
    () =>
      read(
        plainBlock([
          ['a', '1'],
          ['A', '2'],
        ]),
      ),
    /comes twice/,
  );
  const [first] = await compressed(plainBlock([]));
  const reader = new HeaderReader();
  reader.read(first!);
  assert.throws(() => reader.read(Buffer.from([0xff, 0xff, 0xff])), /cannot be inflated/);
});
