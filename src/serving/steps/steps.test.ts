import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { checkPostprocess, checkPreprocess } from '../../ml/export/steps.ts';
import type { TensorMetadata } from '../inference-protocol.ts';
import { decodePicture, pixelsMax, pixelsOf } from './decode.ts';
import { createImagePool, inlinePixelsMax } from './image-pool.ts';
import { addedOutputs, postprocess } from './postprocess.ts';
import { preprocess } from './preprocess.ts';
import { resize } from './resize.ts';

// Images and what PIL 12 makes of them, written with it.
const fixtures = JSON.parse(readFileSync(new URL('./fixtures/pil.json', import.meta.url), 'utf8'));
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
const source = bytesOf(fixtures.source);
const picture = { height: 5, width: 7, channels: 3, data: source };
const pool = createImagePool();
after(() => pool.close());

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++)
    assert.ok(
      Math.abs(actual[i]! - expected[i]!) <= tolerance,
      `[${i}]: ${actual[i]}, expected ${expected[i]}`,
    );
}

test('a PNG is decoded to its very pixels, its transparency dropped', async () => {
  for (const name of ['png', 'pngAlpha'])
    assert.deepEqual(decodePicture(bytesOf(fixtures[name]), 3).data, source);
});

test('one channel is grey as PIL makes it', async () => {
  const { data, channels } = decodePicture(bytesOf(fixtures.png), 1);
  assert.equal(channels, 1);
  assertNear(data, bytesOf(fixtures.grey), 0);
});

test("baseline JPEG is decoded to libjpeg's pixels but for rounding, progressive with halved colours nearly so", async () => {
  for (const [name, tolerance] of [
    ['jpeg', 3],
    ['jpegProgressive', 16],
  ] as const) {
    const { bytes, pixels } = fixtures[name];
    assertNear(decodePicture(bytesOf(bytes), 3).data, bytesOf(pixels), tolerance);
  }
});

test("resize() with antialias is PIL's within its rounding", () => {
  for (const name of ['smaller', 'larger']) {
    const { height, width, pil } = fixtures[name];
    assertNear(resize(picture, { height, width, antialias: true }).data, bytesOf(pil), 1);
  }
});

test("resize() without antialias is tf.image.resize's", () => {
  const row = { height: 1, width: 4, channels: 1, data: Uint8Array.of(0, 10, 20, 30) };
  // tf.image.resize([[0], [10], [20], [30]], …) with half-pixel centres: 0.5 and 2.5, then clamped at the edges.
  assertNear(resize(row, { height: 1, width: 2, antialias: false }).data, [5, 25], 1e-5);
  const wider = resize(row, { height: 1, width: 8, antialias: false }).data;
  assertNear(wider, [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30], 1e-5);
});

const input = (shape: number[], datatype: TensorMetadata['datatype'] = 'FP32') => ({
  name: 'x',
  datatype,
  shape,
});

test('scale, normalize and transpose are done in order', async () => {
  const steps = checkPreprocess([
    { op: 'decode' },
    { op: 'scale', by: 2, offset: 1 },
    { op: 'normalize', mean: [1, 2, 3], std: [1, 2, 4] },
    { op: 'transpose', to: 'NCHW' },
  ]);
  const { data, shape } = await preprocess([bytesOf(fixtures.png)], steps, input([-1, 3, 5, 7]));
  assert.deepEqual(shape, [1, 3, 5, 7]);
  const expected = [0, 1, 2].flatMap((channel) =>
    Array.from(
      { length: 35 },
      (_, i) => (source[i * 3 + channel]! * 2 + 1 - (channel + 1)) / [1, 2, 4][channel]!,
    ),
  );
  assertNear(data as Float32Array, expected, 1e-3);
});

test('integers are rounded and kept in range', async () => {
  const steps = checkPreprocess([{ op: 'decode' }, { op: 'scale', by: 1.5 }]);
  const { data } = await preprocess([bytesOf(fixtures.png)], steps, input([-1, 5, 7, 3], 'UINT8'));
  assertNear(
    data as Uint8Array,
    Array.from(source, (value) => Math.min(255, value * 1.5)),
    0.5,
  );
});

test('images that the model does not take are refused in words', async () => {
  const decode = checkPreprocess([{ op: 'decode' }]);
  const png = bytesOf(fixtures.png);
  const refused: [Uint8Array, RegExp][] = [
    [Buffer.from('hello'), /neither a JPEG nor a PNG/],
    [png.subarray(0, 40), /can't be decoded: a damaged PNG/],
    [bytesOf(fixtures.jpeg.bytes).subarray(0, 100), /can't be decoded: a damaged JPEG/],
    [png, /the image becomes \[1,5,7,3\], the model's "x" takes \[-1,32,32,3\]/],
  ];
  for (const [image, message] of refused)
    await assert.rejects(preprocess([image], decode, input([-1, 32, 32, 3])), message);
});

test('a header that claims too many pixels is refused before anything is unpacked', async () => {
  const bomb = Buffer.from(bytesOf(fixtures.png));
  bomb.writeUInt32BE(100_000, 16);
  bomb.writeUInt32BE(pixelsMax, 20);
  assert.throws(() => decodePicture(bomb, 3), /100000 x 16777216 pixels, allowed are 1 to 16777216/);
});

test('damaged images are refused, whatever the damage', async () => {
  const seed = Date.now() % 2 ** 32;
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const images = [fixtures.png, fixtures.jpeg.bytes, fixtures.jpegProgressive.bytes].map(bytesOf);
  for (let round = 0; round < 300; round++) {
    const image = Uint8Array.from(images[round % 3]!);
    for (let i = random(6); i >= 0; i--) image[random(image.length)] = random(256);
    try {
      if (pixelsOf(image) > 1_000_000) continue;
      decodePicture(image.subarray(0, image.length - random(3) * random(50)), 3);
    } catch (error) {
      assert.equal(
        (error as { reason?: string }).reason,
        'BadRequest',
        `seed ${seed}, round ${round}: ${error}`,
      );
    }
  }
});

test('a large image is decoded in a worker, with the same result and the same errors', async () => {
  const steps = checkPreprocess([{ op: 'decode' }, { op: 'resize', height: 4, width: 4 }]);
  const { PNG } = (await import('pngjs')).default;
  const large = new PNG({ width: 128, height: 128 });
  for (let i = 0; i < large.data.length; i++) large.data[i] = (i * 7) % 256;
  assert.ok(large.width * large.height > inlinePixelsMax);
  const encoded = new Uint8Array(PNG.sync.write(large));
  const target = input([-1, 4, 4, 3]);
  assert.deepEqual(
    await pool.preprocess([encoded], steps, target),
    await preprocess([encoded], steps, target),
  );
  await assert.rejects(
    pool.preprocess([encoded.subarray(0, encoded.length >> 1)], steps, target),
    /can't be decoded/,
  );
});

const logits = {
  y: { datatype: 'FP32' as const, shape: [2, 3], data: Float32Array.of(1, 3, 2, 0, Number.NaN, 5) },
};

test('softmax, top-k and labels are added to the outputs', () => {
  const steps = checkPostprocess([{ op: 'softmax' }, { op: 'topK', k: 2 }, { op: 'labels' }]);
  const row = { y: { ...logits.y, shape: [1, 3], data: logits.y.data.slice(0, 3) } };
  const { probabilities, scores, classes, labels, y } = postprocess(row, steps, ['a', 'b', 'c']);
  assert.equal(y, row.y);
  const sum = Math.exp(1) + Math.exp(3) + Math.exp(2);
  assertNear(
    probabilities!.data as Float32Array,
    [Math.exp(1) / sum, Math.exp(3) / sum, Math.exp(2) / sum],
    1e-6,
  );
  assertNear(scores!.data as Float32Array, [Math.exp(3) / sum, Math.exp(2) / sum], 1e-6);
  assert.deepEqual(classes!.data, BigInt64Array.of(1n, 2n));
  assert.deepEqual(labels, { datatype: 'BYTES', shape: [1, 2], data: ['b', 'c'] });
  const described = addedOutputs(steps, [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }]);
  assert.deepEqual(
    described.map(({ name }) => name),
    ['probabilities', 'scores', 'classes', 'labels'],
  );
});

test('NaN ranks last', () => {
  const { classes } = postprocess(logits, checkPostprocess([{ op: 'topK', k: 3 }]), undefined);
  assert.deepEqual(classes!.data, BigInt64Array.of(1n, 2n, 0n, 2n, 0n, 1n));
});

test('steps that are wrong are named with their place', () => {
  const wrong: [() => unknown, RegExp][] = [
    [() => checkPreprocess([{ op: 'decode' }, { op: 'rotate' }]), /preprocess\[1\]: op must be one of/],
    [() => checkPreprocess([{ op: 'resize', height: 0, width: 5 }]), /preprocess\[0\]: height must be/],
    [() => checkPreprocess([{ op: 'normalize', mean: [1], std: [0] }]), /std must not have 0/],
    [() => checkPreprocess({}), /must be a list/],
    [() => checkPostprocess([{ op: 'labels' }, { op: 'softmax' }]), /the order is softmax, topK, labels/],
    [() => checkPostprocess([null]), /postprocess\[0\]: op must be/],
  ];
  for (const [check, message] of wrong) assert.throws(check, message);
});
