import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  adam,
  conv2d,
  dense,
  flatten,
  input,
  loadCifar10,
  maxPool2d,
  rescaling,
  sequential,
  sparseCategoricalCrossentropy,
} from '../index.ts';

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** A record whose red, green and blue planes hold 1, 2 and 3 but for the pixel at row 1, column 2. */
function record(label: number): Buffer {
  const bytes = Buffer.concat([Buffer.of(label), ...[1, 2, 3].map((value) => Buffer.alloc(1024, value))]);
  [101, 102, 103].forEach((value, plane) => {
    bytes[1 + plane * 1024 + 34] = value;
  });
  return bytes;
}

async function folderOf(files: Record<string, Uint8Array | string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'selvage-cifar-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

const names = 'zero one two three four five six seven eight nine'.split(' ').join('\n');
const good = {
  'data_batch_1.bin': Buffer.concat([record(3), record(9)]),
  'data_batch_2.bin': record(0),
  'test_batch.bin': record(5),
  'batches.meta.txt': `${names}\n\n`,
};

test('files of any number of records are joined, planes become pixels', async () => {
  const { train, test: held, classNames } = await loadCifar10({ dir: await folderOf(good) });
  assert.deepEqual(train.images.shape, [3, 32, 32, 3]);
  assert.deepEqual([...train.labels], [3, 9, 0]);
  assert.deepEqual([...held.labels], [5]);
  assert.deepEqual([...train.images.data.subarray(0, 6)].map(Number), [1, 2, 3, 1, 2, 3]);
  const odd = 2 * 3072 + (32 + 2) * 3;
  assert.deepEqual([...train.images.data.subarray(odd, odd + 3)].map(Number), [101, 102, 103]);
  assert.equal(classNames[9], 'nine');
});

const damages: [string, Partial<Record<keyof typeof good, Uint8Array | string | undefined>>, RegExp][] = [
  [
    'a truncated file',
    { 'data_batch_2.bin': record(0).subarray(0, 3000) },
    /data_batch_2\.bin has 3000 bytes: 0 whole records and 3000 bytes more.* 3073 bytes .*Fetch it again/s,
  ],
  [
    'an empty file',
    { 'test_batch.bin': '' },
    /test_batch\.bin is empty\. A CIFAR-10 file is one or more records/,
  ],
  [
    'a label above 9',
    { 'data_batch_1.bin': Buffer.concat([record(3), record(10)]) },
    /data_batch_1\.bin has label 10 in record 1 \(byte 3073\), expected 0 to 9/,
  ],
  [
    'no test file',
    { 'test_batch.bin': undefined },
    /has no test_batch\.bin: a CIFAR-10 folder holds data_batch_1/,
  ],
  [
    'too few class names',
    { 'batches.meta.txt': 'a\nb\n' },
    /batches\.meta\.txt has 2 class names, expected 10/,
  ],
];

for (const [what, change, message] of damages) {
  test(`${what} is refused with the file's name and what to do`, async () => {
    const files = Object.entries({ ...good, ...change }).filter((entry) => entry[1] !== undefined);
    const dir = await folderOf(Object.fromEntries(files) as Record<string, string>);
    await assert.rejects(loadCifar10({ dir }), { name: 'CifarFormatError', message });
  });
}

test('the cache is used before any download, and a folder that is named before the cache', async () => {
  const cacheDir = await folderOf(good);
  const { source } = await loadCifar10({ cacheDir, download: false });
  assert.equal(source, cacheDir);
  await assert.rejects(
    loadCifar10({ dir: join(cacheDir, 'missing'), cacheDir }),
    /Cannot read the CIFAR-10 folder/,
  );
  const empty = await folderOf({});
  await assert.rejects(
    loadCifar10({ cacheDir: empty, download: false }),
    /may not be downloaded: give a folder/,
  );
});

const repository = new URL('../../../', import.meta.url).pathname;
const realDir = [process.env.SELVAGE_DATA, join(repository, '../shared/data/cifar10')].find(
  (dir) => dir && existsSync(join(dir, 'test_batch.bin')),
);

test('real images are learned in two epochs, well above chance', {
  skip: !realDir && 'no CIFAR-10 folder: set SELVAGE_DATA to one to run this',
}, async () => {
  const { train, test: held } = await loadCifar10({ dir: realDir });
  const model = sequential([
    input([32, 32, 3], { dtype: 'uint8' }),
    rescaling(1 / 255),
    conv2d(16, 3, { activation: 'relu' }),
    maxPool2d(2),
    conv2d(32, 3, { activation: 'relu' }),
    maxPool2d(2),
    flatten(),
    dense(10),
  ]);
  model.compile({ optimizer: adam(), loss: sparseCategoricalCrossentropy({ fromLogits: true }) });
  await model.fit(train.images, train.labels, { epochs: 2 });
  const { accuracy } = await model.evaluate(held.images, held.labels);
  assert.ok(accuracy > 0.3, `accuracy ${accuracy}`);
  await model.close();
});
