import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { isStatus } from '../../base/errors.ts';
import { decodePicture, pixelsOf } from './decode.ts';
import { createImagePool, type ImagePool } from './image-pool.ts';

const pools: ImagePool[] = [];
after(() => Promise.all(pools.map((pool) => pool.close())));

const crcTable = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  crc.writeUInt32BE(crcOf(body));
  return Buffer.concat([length, body, crc]);
}

/** An 8-bit RGB image whose pixels are `packed`. */
function pngOf(width: number, height: number, packed: Uint8Array, interlace = 0): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, interlace], 8);
  const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', packed),
    chunk('IEND', new Uint8Array()),
  ]);
}

/** The smallest head of a JPEG of one component: its tables and its frame. */
function jpegOf(width: number, height: number, more: Uint8Array = Buffer.alloc(0)): Buffer {
  const quantization = Buffer.concat([Buffer.of(0xff, 0xdb, 0, 67, 0), Buffer.alloc(64, 1)]);
  const frame = Buffer.of(0xff, 0xc0, 0, 11, 8, 0, 0, 0, 0, 1, 1, 0x11, 0);
  frame.writeUInt16BE(height, 5);
  frame.writeUInt16BE(width, 7);
  return Buffer.concat([Buffer.of(0xff, 0xd8), quantization, frame, more, Buffer.of(0xff, 0xd9)]);
}

const zeros = (bytes: number) => deflateSync(Buffer.alloc(bytes));
const good = pngOf(4, 4, zeros(4 * 13));
const goodInterlaced = pngOf(1, 1, zeros(4), 1);
const gif = Buffer.concat([Buffer.from('GIF89a'), Buffer.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0)]);

const refused: [string, Buffer, RegExp][] = [
  ['a small PNG of 50,000 x 50,000', pngOf(50_000, 50_000, zeros(900)), /50000 x 50000 pixels, allowed are/],
  ['a PNG of the largest numbers', pngOf(2 ** 32 - 1, 2 ** 32 - 1, zeros(9)), /pixels, allowed are/],
  ['a PNG of no width', pngOf(0, 5, zeros(9)), /0 x 5 pixels/],
  // Its missing pixels would be what lay in memory before.
  ['a PNG with too little in it', pngOf(100, 100, zeros(9)), /a damaged PNG: it ends early/],
  ['a PNG that unpacks to more than it says', pngOf(1, 1, zeros(50_000_000)), /more than its header states/],
  [
    'an interlaced PNG that unpacks to more than it says',
    pngOf(1, 1, zeros(50_000_000), 1),
    /more than its header states/,
  ],
  ['a PNG whose pixels are not packed', pngOf(4, 4, Buffer.alloc(60, 7)), /a damaged PNG/],
  [
    'a chunk longer than the file',
    Buffer.concat([good.subarray(0, 33), Buffer.alloc(4, 255)]),
    /damaged PNG/,
  ],
  ['a JPEG of 65,535 x 65,535', jpegOf(65_535, 65_535), /65535 x 65535 pixels, allowed are/],
  ['a JPEG without a frame', Buffer.of(0xff, 0xd8, 0xff, 0xd9, 0, 0, 0, 0, 0, 0, 0, 0), /no frame header/],
  ['a JPEG of segments without length', Buffer.alloc(100_000, Buffer.of(0xff, 0xd8)), /damaged JPEG/],
  ['a GIF that calls itself large', gif, /neither a JPEG nor a PNG: it begins with the bytes 47 49 46 38/],
  ['nothing', Buffer.alloc(0), /it is empty/],
];

for (const [what, bytes, expected] of refused)
  test(`${what} is refused, in words`, () => {
    assert.throws(
      () => {
        pixelsOf(bytes);
        decodePicture(bytes, 3);
      },
      (error) => isStatus(error, 'BadRequest') && expected.test(error.message),
    );
  });

test('images are decoded as far as their header says, interlaced or not', () => {
  for (const [bytes, pixels] of [
    [good, 16],
    [goodInterlaced, 1],
  ] as const)
    assert.equal(decodePicture(bytes, 3).data.length, 3 * pixels);
});

test('of a JPEG that is only a head there is a grey picture', () => {
  assert.equal(new Set(decodePicture(jpegOf(64, 64), 3).data).size, 1);
});

test('images with bytes changed or cut off become pixels or a refusal', () => {
  const seed = Date.now() % 2 ** 32;
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const samples = [good, goodInterlaced, jpegOf(16, 16, Buffer.alloc(200, 0x3f))];
  for (let round = 0; round < 600; round++) {
    const bytes = Buffer.from(samples[random(samples.length)]!);
    for (let i = random(4); i >= 0; i--) bytes[random(bytes.length)] = random(256);
    try {
      const { width, height, data } = decodePicture(bytes.subarray(0, bytes.length - random(4)), 3);
      assert.equal(data.length, width * height * 3);
    } catch (error) {
      assert.ok(isStatus(error, 'BadRequest'), `seed ${seed}, round ${round}: ${error}`);
    }
  }
});

test('an image that takes too long is given up, with its worker; the next one gets another', async () => {
  const pool = createImagePool({ jobMsMax: 1 });
  pools.push(pool);
  const input = { name: 'x', datatype: 'UINT8' as const, shape: [-1, 2000, 2000, 3] };
  const large = pngOf(2000, 2000, zeros(2000 * 6001));
  const steps = [{ op: 'decode' as const }];
  await assert.rejects(
    pool.preprocess([large], steps, input),
    (error) => isStatus(error, 'BadRequest') && /takes longer than 0.001 s/.test(error.message),
  );
  const patient = createImagePool();
  pools.push(patient);
  assert.deepEqual((await patient.preprocess([large], steps, input)).shape, [1, 2000, 2000, 3]);
});
