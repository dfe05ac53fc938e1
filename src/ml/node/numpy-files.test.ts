import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeNpy, encodeNpy } from '../datasets/npy.ts';
import { tensor } from '../tensor.ts';
import { npyDataset, readNpy, readNpz, writeNpy, writeNpz } from './numpy-files.ts';

const file = (name: string): string => new URL(`../fixtures/data-files/${name}`, import.meta.url).pathname;
const grid = tensor(Float32Array.of(0, 0.5, 1, 1.5, 2, 2.5), [2, 3]);

test('arrays that NumPy saved are read, packed ones too', async () => {
  const plain = await readNpz(file('plain.npz'));
  assert.deepEqual(plain.grid, grid);
  assert.deepEqual(plain.big, tensor(BigInt64Array.of(1n, -2n), [2]));
  assert.deepEqual((await readNpz(file('packed.npz'))).grid, grid);
  const bytes = await readNpy(file('bytes.npy'));
  assert.deepEqual(
    bytes,
    tensor(
      Uint8Array.from({ length: 12 }, (_, index) => index),
      [2, 2, 3],
    ),
  );
});

test('what is written is, byte for byte, what NumPy writes', async () => {
  const bytes = await readFile(file('bytes.npy'));
  assert.deepEqual(Buffer.from(encodeNpy(decodeNpy(bytes))), bytes);
});

test('arrays survive writing and reading, of one axis and of none', async (context) => {
  const dir = await mkdtemp(join(tmpdir(), 'selvage-numpy-'));
  context.after(() => rm(dir, { recursive: true }));
  const arrays = {
    grid,
    line: tensor(Int32Array.of(7, 8, 9), [3]),
    one: tensor(Float64Array.of(Math.PI), []),
  };
  await writeNpz(join(dir, 'all.npz'), arrays);
  assert.deepEqual(await readNpz(join(dir, 'all.npz')), arrays);
  await writeNpy(join(dir, 'grid.npy'), grid);
  assert.deepEqual(await readNpy(join(dir, 'grid.npy')), grid);
});

test('a file that cannot be read says why, by name', async (context) => {
  await assert.rejects(
    readNpy(file('fortran.npy')),
    /fortran\.npy: its columns come first .*ascontiguousarray/,
  );
  await assert.rejects(
    readNpy(file('big-endian.npy')),
    /big-endian\.npy: its type is >f4, expected one of <f4/,
  );
  await assert.rejects(readNpz(file('bytes.npy')), /bytes\.npy: not a \.npz archive/);
  const bytes = await readFile(file('bytes.npy'));
  assert.throws(
    () => decodeNpy(bytes.subarray(0, 130), 'cut.npy'),
    /cut\.npy: \[2, 2, 3\] needs 12 bytes, there are 2/,
  );
  assert.throws(() => decodeNpy(bytes.subarray(0, 60), 'cut.npy'), /header of 118 bytes is cut short/);
  assert.throws(
    () => decodeNpy(new TextEncoder().encode('hello, world'), 'no.npy'),
    /no\.npy: not a \.npy file/,
  );
  const dir = await mkdtemp(join(tmpdir(), 'selvage-numpy-'));
  context.after(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, 'cut.npy'), bytes.subarray(0, 135));
  const cut = await npyDataset(join(dir, 'cut.npy'));
  await assert.rejects(
    Array.fromAsync(cut),
    /cut\.npy: expected 12 bytes at byte 128, found 7: it is cut short/,
  );
});

test('the rows of files are examples, read stretch by stretch', async (context) => {
  const dir = await mkdtemp(join(tmpdir(), 'selvage-numpy-'));
  context.after(() => rm(dir, { recursive: true }));
  // Rows of 400 kB: three stretches of the disk.
  const x = tensor(
    Float32Array.from({ length: 7 * 100_000 }, (_, index) => index % 1000),
    [7, 100_000],
  );
  const y = tensor(BigInt64Array.from([0n, 1n, 2n, 0n, 1n, 2n, 0n]), [7]);
  await Promise.all([writeNpy(join(dir, 'x.npy'), x), writeNpy(join(dir, 'y.npy'), y)]);
  const dataset = await npyDataset(join(dir, 'x.npy'), join(dir, 'y.npy'));
  assert.equal(dataset.examples, 7);
  const examples = await Array.fromAsync(dataset);
  assert.deepEqual(
    examples.map((example) => example.y),
    [0, 1, 2, 0, 1, 2, 0],
  );
  assert.deepEqual(examples[5]!.x.data, x.data.subarray(500_000, 600_000));
  await assert.rejects(
    npyDataset(join(dir, 'x.npy'), file('bytes.npy')),
    /has 7 examples, .*bytes\.npy has 2 targets/,
  );
});
