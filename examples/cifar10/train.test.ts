import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type LabelledImages, syntheticImages } from '../../src/ml/index.ts';

/** Images in CIFAR-10's binary layout: a label, then the three colour planes. */
function toRecords({ images, labels }: LabelledImages): Buffer {
  const records = Array.from(labels, (label, index) => {
    const pixels = images.data.subarray(index * 3072, (index + 1) * 3072) as Uint8Array;
    const planes = [0, 1, 2].map((channel) => pixels.filter((_, at) => at % 3 === channel));
    return Buffer.concat([Buffer.of(label), ...planes]);
  });
  return Buffer.concat(records);
}

test('the example trains on a folder of records and prints its test accuracy', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'selvage-example-'));
  const { train, test: held } = syntheticImages({ train: 500, test: 200 });
  await writeFile(join(folder, 'data_batch_1.bin'), toRecords(train));
  await writeFile(join(folder, 'test_batch.bin'), toRecords(held));
  const script = new URL('./train.ts', import.meta.url).pathname;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, folder]);
  assert.match(stdout, /Parameters: 122,570/);
  assert.match(stderr, /Epoch 10\/10 ━+ loss \d\.\d{4} /);
  const accuracy = Number(/Test accuracy: (\d\.\d{4})/.exec(stdout)?.[1]);
  assert.ok(accuracy > 0.3, stdout);
  await rm(folder, { recursive: true });
});
