// The built-in storage initializer, an init container: fetches the model that $STORAGE_URI names, over HTTP, HTTPS or from
// S3, into the volume at /mnt/models. With $STORAGE_FILE the file keeps its name, and an archive its folders. The
// variables for S3 are those of KServe's; authorities in the files of $CA_BUNDLE are trusted beside the public ones.
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import tls from 'node:tls';
import { messageOf } from '../../base/errors.ts';
import { download } from './download.ts';
import { placeModel } from './place-model.ts';
import { fetchObjects, s3OptionsOf } from './s3.ts';

const mountPath = '/mnt/models';
const { env } = process;
const mounts = JSON.parse(env.SELVAGE_MOUNTS ?? '{}') as Record<string, string>;
const folder = mounts[mountPath] ?? mountPath;
const file = join(folder, '.download');
const uri = env.STORAGE_URI ?? '';
const keepAs = env.STORAGE_FILE || undefined;

try {
  if (env.CA_BUNDLE) trust(env.CA_BUNDLE.split(':').map(onHost));
  console.log(/^(s3|gs):/.test(uri) ? await fromS3() : await fromUrl());
} catch (error) {
  console.error(`the model was not fetched: ${messageOf(error)}`);
  process.exitCode = 1;
} finally {
  await rm(file, { force: true });
}

async function fromUrl(): Promise<string> {
  const headers = headersOf(env.STORAGE_HEADERS ?? '');
  const { bytes, digest } = await download({ uri, file, fetch, headers });
  const placed = await placeModel({ file, folder, keepAs });
  return `fetched ${bytes} bytes, sha256 ${digest}: ${placed.join(', ')}`;
}

async function fromS3(): Promise<string> {
  const s3 = s3OptionsOf(env);
  const found = await fetchObjects({ uri, s3, file, folder, fetch, nowMs: Date.now });
  const placed =
    'placed' in found
      ? found.placed
      : await placeModel({ file, folder, keepAs: keepAs && posix.basename(found.object) });
  return `fetched ${found.bytes} bytes from ${s3.endpoint}: ${placed.join(', ')}`;
}

/** `Name: value`, one a line, as KServe's secret for HTTP has them. */
function headersOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
}

function trust(files: string[]): void {
  const own = files.map((path) => readFileSync(path, 'utf8'));
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...own]);
}

/** Where a path of a mount lies on the node. */
function onHost(path: string): string {
  const mount = Object.keys(mounts).find((each) => path === each || path.startsWith(`${each}/`));
  return mount === undefined ? path : mounts[mount] + path.slice(mount.length);
}
