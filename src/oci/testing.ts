import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { type Clock, systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { ContentStore } from './content-store.ts';
import { writeManifest } from './image.ts';
import type { Descriptor } from './manifest.ts';
import { mediaType } from './media-types.ts';
import { type Access, createRegistry } from './registry.ts';
import { stallMs } from './registry-client.ts';

/** A folder that is removed after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'selvage-oci-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function temporaryStore(t: TestContext, options: { clock?: Clock } = {}): Promise<ContentStore> {
  return ContentStore.open(await temporaryFolder(t), options);
}

/** Serves a registry over plain HTTP on loopback; `url` has no trailing slash. */
export async function serveRegistry(
  t: TestContext,
  options: { store: ContentStore; blobBytesMax?: number; authorize?: (access: Access) => boolean },
): Promise<{ url: string; host: string }> {
  const registry = createRegistry({
    store: options.store,
    log: silentLog,
    ...(options.blobBytesMax !== undefined && { blobBytesMax: options.blobBytesMax }),
    ...(options.authorize && { authorize: (_request, access) => options.authorize!(access) }),
  });
  const server = createServer(async (request, response) => {
    if (!(await registry.handle(request, response))) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}`, host };
}

/** Stores an image of one config and the given layers, and names it. */
export async function putImage(
  store: ContentStore,
  reference: string,
  layers: Uint8Array[],
): Promise<Descriptor> {
  const config = await store.put(Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{}}'));
  const stored = [];
  for (const layer of layers) stored.push({ mediaType: mediaType.ociLayer, ...(await store.put(layer)) });
  const manifest = await writeManifest(store, {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, ...config },
    layers: stored,
  });
  await store.name(reference, manifest);
  return manifest;
}

/** Retries at once, but lets a stalled transfer be noticed no sooner than it really would be. */
export const impatientClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  after: (delayMs, action) => systemClock.after(delayMs < stallMs ? 0 : delayMs, action),
};
