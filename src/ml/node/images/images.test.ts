import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as ml from '../../index.ts';
import { decodeImage } from './decode.ts';
import { resize } from './pixels.ts';

const file = (name: string): string => new URL(`../../fixtures/data-files/${name}`, import.meta.url).pathname;
const { height, width, pixels } = JSON.parse(await readFile(file('pixels.json'), 'utf8')) as {
  height: number;
  width: number;
  pixels: Record<string, number[]>;
};

for (const [name, expected] of Object.entries(pixels)) {
  test(`${name} is decoded to what Pillow reads`, async () => {
    const image = decodeImage(await readFile(file(name)));
    assert.deepEqual([image.width, image.height], [width, height]);
    const rgb = resize(image, { height, width, channels: 3 });
    // Decoders of JPEG may round otherwise. In progressive.jpg four pixels share a colour, which Pillow smooths.
    const most = name.endsWith('.png') ? 0 : name === 'progressive.jpg' ? 20 : 4;
    const worst = Math.max(...rgb.map((value, at) => Math.abs(value - expected[at]!)));
    assert.ok(worst <= most, `a value differs by ${worst}`);
  });
}

test('an image is scaled by interpolation about the pixels’ middles', () => {
  const data = Uint8Array.from([0, 100, 200, 60].flatMap((grey) => [grey, grey, grey, 255]));
  const wide = resize({ width: 4, height: 1, data }, { height: 1, width: 2, channels: 1 });
  assert.deepEqual([...wide], [50, 130]);
  const tall = resize({ width: 4, height: 1, data }, { height: 2, width: 8, channels: 1 });
  assert.deepEqual([...tall.subarray(0, 8)], [0, 25, 75, 125, 175, 165, 95, 60]);
  assert.deepEqual(tall.subarray(0, 8), tall.subarray(8));
});

/** Two classes: three good images and, where asked, two bad ones. */
async function folder(context: TestContext, { bad = false } = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'selvage-images-'));
  context.after(() => rm(dir, { recursive: true }));
  await Promise.all([mkdir(join(dir, 'cat')), mkdir(join(dir, 'dog'))]);
  await copyFile(file('baseline.jpg'), join(dir, 'cat', '1.jpg'));
  await copyFile(file('grey.png'), join(dir, 'cat', '2.png'));
  await copyFile(file('progressive.jpg'), join(dir, 'dog', '1.jpeg'));
  if (!bad) return dir;
  await writeFile(join(dir, 'cat', '7.jpg'), 'GIF89a, not a photograph');
  await writeFile(join(dir, 'dog', '8.jpg'), (await readFile(file('baseline.jpg'))).subarray(0, 200));
  return dir;
}

test('a folder of images is its examples, in order or in another order each epoch', async (context) => {
  const dir = await folder(context);
  const { dataset, classNames } = await ml.imageFolder(dir, { height: 6, width: 8 });
  assert.deepEqual(classNames, ['cat', 'dog']);
  const examples = await Array.fromAsync(dataset);
  assert.deepEqual(
    examples.map(({ x, y, source }) => [x.shape.join(), y, source!.slice(-9)]),
    [
      ['6,8,3', 0, 'cat/1.jpg'],
      ['6,8,3', 0, 'cat/2.png'],
      ['6,8,3', 1, 'og/1.jpeg'],
    ],
  );
  const mixed = await ml.imageFolder(dir, { height: 6, width: 8, channels: 1, shuffle: true, seed: 3 });
  const orders = new Set<string>();
  for (let epoch = 0; epoch < 12; epoch += 1) {
    const order = await Array.fromAsync(mixed.dataset.pass(epoch));
    assert.deepEqual(order[0]!.x.shape, [6, 8, 1]);
    orders.add(order.map(({ source }) => source).join());
  }
  assert.ok(orders.size > 2, `${orders.size} orders`);
});

test('a split gives each file to one side, whatever the epoch', async (context) => {
  const dir = await folder(context);
  const split = { height: 4, width: 4, shuffle: true, validationSplit: 0.4, seed: 5 };
  const sources = async (subset: 'training' | 'validation', epoch: number) => {
    const { dataset } = await ml.imageFolder(dir, { ...split, subset });
    return (await Array.fromAsync(dataset.pass(epoch))).map(({ source }) => source!);
  };
  const [training, held] = [await sources('training', 0), await sources('validation', 7)];
  assert.deepEqual([training.length, held.length, new Set([...training, ...held]).size], [2, 1, 3]);
  await assert.rejects(ml.imageFolder(dir, { height: 4, width: 4, validationSplit: 0.4 }), /go together/);
});

test('a file that is no image ends the pass with its name, or is counted and left out', async (context) => {
  const dir = await folder(context, { bad: true });
  const size = { height: 4, width: 4 };
  const strict = await ml.imageFolder(dir, size);
  await assert.rejects(
    Array.fromAsync(strict.dataset),
    /cat\/7\.jpg: neither a JPEG nor a PNG: it begins with the bytes 47 49 46 38\. .*give corrupt: 'skip'/,
  );
  const lenient = await ml.imageFolder(dir, { ...size, corrupt: 'skip' });
  assert.equal((await Array.fromAsync(lenient.dataset)).length, 3);
  assert.equal(lenient.skipped.count, 2);
  assert.match(
    lenient.skipped.files.join('\n'),
    /cat\/7\.jpg: neither a JPEG.*\n.*dog\/8\.jpg: a damaged JPEG: /,
  );
});

test('a PNG that claims to be huge is refused before it is unpacked, as is an empty file', async () => {
  const bytes = new Uint8Array(await readFile(file('grey.png')));
  new DataView(bytes.buffer).setUint32(16, 100_000);
  new DataView(bytes.buffer).setUint32(20, 100_000);
  assert.throws(
    () => decodeImage(bytes),
    /a PNG of 100000 x 100000 pixels, allowed are 1 to 100000000 in all/,
  );
  assert.throws(() => decodeImage(new Uint8Array()), /it is empty/);
});

test('a folder without classes or images is refused', async (context) => {
  const dir = await mkdtemp(join(tmpdir(), 'selvage-images-'));
  context.after(() => rm(dir, { recursive: true }));
  const size = { height: 4, width: 4 };
  await assert.rejects(ml.imageFolder(join(dir, 'none'), size), /Cannot read the image folder .*none/);
  await assert.rejects(
    ml.imageFolder(dir, size),
    /has no sub-folders: an image folder has one for each class/,
  );
  await mkdir(join(dir, 'cat'));
  await assert.rejects(ml.imageFolder(dir, size), /has no \.jpg, \.jpeg or \.png files in its 1 sub-folders/);
});

test('a model trains on a folder of images, is evaluated on it and predicts', async (context) => {
  const { dataset } = await ml.imageFolder(await folder(context), { height: 6, width: 8, shuffle: true });
  const model = ml.sequential([
    ml.input([6, 8, 3], { dtype: 'uint8' }),
    ml.rescaling(1 / 255),
    ml.flatten(),
    ml.dense(2),
  ]);
  model.compile({ optimizer: ml.adam(), loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
  const batches = dataset.map(ml.randomFlip()).batch(2);
  const before = model.weights.slice();
  const history = await model.fit(batches, { epochs: 2, validationData: batches });
  assert.equal(history.val_loss!.length, 2);
  assert.notDeepEqual(model.weights, before);
  assert.ok((await model.evaluate(batches)).loss > 0);
  assert.deepEqual((await model.predict(batches)).shape, [3, 2]);
  await model.close();
});
