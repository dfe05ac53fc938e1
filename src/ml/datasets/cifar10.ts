import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CifarFormatError, decodeCifarRecords } from './cifar10-records.ts';
import type { ImageDataset } from './labelled-images.ts';

export interface CifarOptions {
  /** A folder with the official binary files; where it is given, nothing else is tried. */
  dir?: string | undefined;
  /** Where a downloaded archive is kept; `~/.cache/selvage/cifar10` by default. */
  cacheDir?: string;
  /** Whether the official archive (170 MB) may be downloaded; it may by default. */
  download?: boolean;
  onProgress?: (progress: { receivedBytes: number; totalBytes: number | undefined }) => void;
  signal?: AbortSignal;
}

const trainFile = /^data_batch_\d+\.bin$/;
const testFile = 'test_batch.bin';
const namesFile = 'batches.meta.txt';

/** Loads CIFAR-10 (Krizhevsky, 2009) from `dir`; else from the cache; else by downloading the official archive.
 * @throws CifarFormatError for a damaged file, Error where the data can be had from nowhere. */
export async function loadCifar10(options: CifarOptions = {}): Promise<ImageDataset> {
  const { dir, cacheDir = defaultCacheDir(), download = true, onProgress, signal } = options;
  if (dir !== undefined) return readCifar10(dir);
  if (await isCifarFolder(cacheDir)) return readCifar10(cacheDir);
  if (!download) {
    throw new Error(`CIFAR-10 is not in ${cacheDir} and may not be downloaded: give a folder that has it`);
  }
  const { downloadCifar10 } = await import('./cifar10-download.ts');
  await downloadCifar10({ cacheDir, ...(onProgress && { onProgress }), ...(signal && { signal }) });
  return readCifar10(cacheDir);
}

/** Reads a folder with `data_batch_*.bin`, `test_batch.bin` and `batches.meta.txt`, any number of records each. */
export async function readCifar10(dir: string): Promise<ImageDataset> {
  const names = await readdir(dir).catch((cause) => {
    throw new CifarFormatError(`Cannot read the CIFAR-10 folder ${dir}: ${cause.message}`, { cause });
  });
  const trainNames = names.filter((name) => trainFile.test(name)).sort();
  if (trainNames.length === 0 || !names.includes(testFile)) {
    const missing = trainNames.length === 0 ? 'data_batch_1.bin' : testFile;
    throw new CifarFormatError(
      `${dir} has no ${missing}: a CIFAR-10 folder holds data_batch_1.bin ... data_batch_5.bin, ${testFile} and ` +
        `${namesFile}, as in cifar-10-binary.tar.gz`,
    );
  }
  const load = async (name: string) => ({ path: join(dir, name), bytes: await readFile(join(dir, name)) });
  return {
    train: decodeCifarRecords(await Promise.all(trainNames.map(load))),
    test: decodeCifarRecords([await load(testFile)]),
    classNames: names.includes(namesFile) ? await readClassNames(join(dir, namesFile)) : cifarClassNames,
    source: dir,
  };
}

const cifarClassNames = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');

async function readClassNames(path: string): Promise<string[]> {
  const names = (await readFile(path, 'utf8')).split('\n').flatMap((line) => line.trim() || []);
  if (names.length === cifarClassNames.length) return names;
  throw new CifarFormatError(
    `${path} has ${names.length} class names, expected ${cifarClassNames.length}, one a line`,
  );
}

async function isCifarFolder(dir: string): Promise<boolean> {
  const names = await readdir(dir).catch((): string[] => []);
  return names.includes(testFile) && names.some((name) => trainFile.test(name));
}

function defaultCacheDir(): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(base, 'selvage', 'cifar10');
}
