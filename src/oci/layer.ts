import { createReadStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Header, Pack } from 'tar-stream';

import type { ContentStore } from './content-store.ts';
import { Meter } from './digest.ts';
import type { Descriptor } from './manifest.ts';
import { mediaType } from './media-types.ts';

/** One member of a layer; `path` is in the root file system, without a leading slash. */
export type LayerEntry = {
  path: string;
  mode: number;
  uid?: number;
  gid?: number;
} & (
  | { type: 'directory' }
  | { type: 'symlink'; target: string }
  | { type: 'file'; source: string; size: number }
);

export interface Layer {
  descriptor: Descriptor;
  /** The digest of the uncompressed tar, as an image configuration lists it. */
  diffId: string;
}

const gzipLevel = 6;
const epoch = new Date(0);

/**
 * Writes entries, in the order given, as a gzipped tar into the store. The same entries give the same bytes: no
 * times, no owner names, a fixed compression level and a gzip header that doesn't tell the operating system.
 */
export async function writeLayer(store: ContentStore, entries: Iterable<LayerEntry>): Promise<Layer> {
  const { pack } = await import('tar-stream');
  const tar = pack();
  const meter = new Meter();
  const gzip = createGzip({ level: gzipLevel });
  const [stored] = await Promise.all([
    store.put(compressed(tar, meter, gzip)),
    fill(tar, entries).catch((error: Error) => {
      // Ends the reading side too, whose own error then says the same.
      tar.destroy(error);
      throw error;
    }),
  ]);
  return { descriptor: { mediaType: mediaType.ociLayerGzip, ...stored }, diffId: meter.digest() };
}

async function* compressed(tar: Pack, meter: Meter, gzip: Transform): AsyncGenerator<Buffer> {
  const out = new SystemlessGzip();
  const done = pipeline(Readable.from(tar), meter, gzip, out);
  // The loop below meets the same failure; without this it would also count as unhandled.
  done.catch(() => {});
  for await (const chunk of out) yield chunk;
  await done;
}

async function fill(tar: Pack, entries: Iterable<LayerEntry>): Promise<void> {
  for (const entry of entries) await writeEntry(tar, entry);
  tar.finalize();
}

function writeEntry(tar: Pack, entry: LayerEntry): Promise<void> {
  return new Promise((resolve, reject) => {
    const sink = tar.entry(headerOf(entry), (error) => (error ? reject(error) : undefined));
    sink.once('close', () => resolve());
    sink.once('error', reject);
    if (entry.type === 'file') pipeline(createReadStream(entry.source), sink).catch(reject);
    else sink.end(undefined);
  });
}

function headerOf(entry: LayerEntry): Partial<Header> & { name: string } {
  return {
    name: entry.type === 'directory' ? `${entry.path}/` : entry.path,
    type: entry.type,
    mode: entry.mode,
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    mtime: epoch,
    ...(entry.type === 'file' && { size: entry.size }),
    ...(entry.type === 'symlink' && { linkname: entry.target }),
  };
}

/** Sets byte 9 of the gzip header (RFC 1952, OS) to 255, "unknown"; zlib writes the machine's own. */
class SystemlessGzip extends Transform {
  #passed = 0;

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void) {
    const at = 9 - this.#passed;
    if (at >= 0 && at < chunk.length) chunk[at] = 255;
    this.#passed += chunk.length;
    done(null, chunk);
  }
}
