// The built-in storage initializer, an init container: fetches the model that $STORAGE_URI names, over HTTP or HTTPS,
// into the volume at /mnt/models. With $STORAGE_FILE the file keeps that name, and an archive its folders.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { download } from './download.ts';
import { placeModel } from './place-model.ts';

const mountPath = '/mnt/models';
const mounts = JSON.parse(process.env.SELVAGE_MOUNTS ?? '{}') as Record<string, string>;
const folder = mounts[mountPath] ?? mountPath;
const file = join(folder, '.download');

try {
  const { bytes, digest } = await download({ uri: process.env.STORAGE_URI ?? '', file, fetch });
  const placed = await placeModel({ file, folder, keepAs: process.env.STORAGE_FILE || undefined });
  console.log(`fetched ${bytes} bytes, sha256 ${digest}: ${placed.join(', ')}`);
} catch (error) {
  console.error(`the model was not fetched: ${messageOf(error)}`);
  process.exitCode = 1;
} finally {
  await rm(file, { force: true });
}
