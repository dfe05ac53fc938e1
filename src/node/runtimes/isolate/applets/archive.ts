import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, utimes } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Pack, Header as TarHeader } from 'tar-stream';
import { type Applet, AppletError, parseOptions, print, type RunApplet } from './applet.ts';
import { makeParents } from './changes.ts';
import { walk } from './folders.ts';
import { reasonOf } from './pod-files.ts';
import { reading } from './text.ts';

type Header = Partial<TarHeader> & Pick<TarHeader, 'name'>;

/** `tar` as `kubectl cp` needs it: `tar cf - PATH`, `tar xmf - -C FOLDER`, and listing. */
export const tar: RunApplet = async (applet) => {
  const [first = '', ...rest] = applet.args;
  const args = first.startsWith('-') || first === '' ? applet.args : [`-${first}`, ...rest];
  const { flags, operands } = parseOptions(args, 'cxtvmpohf:C:z', {
    create: 'c',
    extract: 'x',
    list: 't',
    file: 'f',
    directory: 'C',
    'no-same-permissions': 'o',
    'no-same-owner': 'o',
    gzip: 'z',
  });
  if (flags.z !== undefined) throw new AppletError('compressed archives are not supported; leave z out');
  if (typeof flags.C === 'string') await changeDir(applet, flags.C);
  const file = typeof flags.f === 'string' ? flags.f : '-';
  if (flags.c !== undefined) return create(applet, file, operands);
  if (flags.x ?? flags.t) return extract(applet, file, { flags, wanted: operands });
  throw new AppletError('usage: tar c|x|t[vmf] [FILE] [-C FOLDER] [PATH]…');
};

async function changeDir({ files }: Applet, folder: string): Promise<void> {
  try {
    await files.changeDir(folder);
  } catch (error) {
    throw new AppletError(`can't change to folder '${folder}': ${reasonOf(error)}`, 2);
  }
}

async function create(applet: Applet, file: string, names: string[]): Promise<number> {
  if (names.length === 0) throw new AppletError('an empty archive is not made; name a path');
  const { pack } = await import('tar-stream');
  const archive = pack();
  const target = file === '-' ? applet.stdout : createWriteStream(await applet.files.toWrite(file));
  const sending = sendTo(archive, target, applet);
  let exitCode = 0;
  for (const name of names) {
    try {
      for await (const { at, stat } of walk(applet, name)) {
        const header = { name: memberName(at), mode: stat.mode & 0o7777, mtime: stat.mtime, uid: 0, gid: 0 };
        if (stat.isDirectory())
          await addEntry(archive, { ...header, name: `${header.name}/`, type: 'directory' });
        else if (stat.isSymbolicLink()) {
          await addEntry(archive, { ...header, type: 'symlink', linkname: await applet.files.readLink(at) });
        } else if (stat.isFile()) {
          await addFile(archive, { ...header, size: stat.size }, await applet.files.toRead(at));
        }
      }
    } catch (error) {
      await print(applet.stderr, `tar: ${name}: ${reasonOf(error)}\n`);
      exitCode = 1;
    }
  }
  archive.finalize();
  await sending;
  return exitCode;
}

async function sendTo(archive: Pack, target: NodeJS.WritableStream, { stdout }: Applet): Promise<void> {
  if (target !== stdout) return pipeline(archive as unknown as Readable, target);
  for await (const chunk of archive) await print(stdout, chunk as Buffer);
}

/** Without a leading slash, as every tar has it. */
function memberName(at: string): string {
  return at.replace(/^\/+/, '') || '.';
}

function addEntry(archive: Pack, header: Header): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, (error) => (error ? reject(error) : resolve()));
  });
}

/** A file that shrinks meanwhile is filled up with zeros, one that grows is cut: its length has been told. */
async function addFile(archive: Pack, header: Header & { size: number }, hostPath: string): Promise<void> {
  const entry = archive.entry(header);
  let left = header.size;
  const write = async (chunk: Buffer) => {
    if (!entry.write(chunk)) await new Promise<void>((resolve) => entry.once('drain', () => resolve()));
  };
  if (left > 0) {
    for await (const chunk of createReadStream(hostPath, { end: left - 1 })) {
      left -= (chunk as Buffer).length;
      await write(chunk as Buffer);
    }
  }
  for (; left > 0; left -= Math.min(left, 64 * 1024)) await write(Buffer.alloc(Math.min(left, 64 * 1024)));
  entry.end(null);
}

async function extract(
  applet: Applet,
  file: string,
  { flags, wanted }: { flags: Record<string, string | true>; wanted: string[] },
): Promise<number> {
  const { extract: reader } = await import('tar-stream');
  const archive = reader();
  const source = await reading(applet, file);
  const feeding = pipeline(source, archive);
  // Its failure shows below, where the entries are read.
  feeding.catch(() => {});
  const isWanted = (name: string) =>
    wanted.length === 0 ||
    wanted.some((each) => name === each || name.startsWith(`${each.replace(/\/$/, '')}/`));
  let exitCode = 0;
  for await (const entry of archive) {
    const { header } = entry;
    const name = header.name.replace(/\/$/, '');
    if (!isWanted(name)) {
      entry.resume();
      continue;
    }
    if (flags.t ?? flags.v) await print(applet.stdout, `${header.name}\n`);
    try {
      if (flags.t === undefined)
        await extractEntry(applet, header, entry as unknown as Readable, flags.m !== undefined);
    } catch (error) {
      await print(applet.stderr, `tar: ${name}: ${reasonOf(error)}\n`);
      exitCode = 2;
    }
    entry.resume();
  }
  await feeding;
  return exitCode;
}

async function extractEntry(
  applet: Applet,
  header: Header,
  content: Readable,
  isTimeNow: boolean,
): Promise<void> {
  const { files } = applet;
  if (header.name.split('/').includes('..')) throw new Error('a name with ".." is not extracted');
  const name = header.name.replace(/^\/+/, '') || '.';
  if (header.type === 'directory') {
    await makeParents(applet, name, header.mode);
    return;
  }
  if (header.type !== 'file' && header.type !== 'contiguous-file') {
    throw new Error(`a ${header.type} can't be made in an isolate`);
  }
  await makeParents(applet, posix.dirname(name));
  const target = await files.toWrite(name);
  const mode = (header.mode ?? 0o644) & 0o777;
  await pipeline(content, createWriteStream(target, { mode }));
  // The mode above holds for a new file only.
  await chmod(target, mode);
  if (!isTimeNow && header.mtime) await utimes(target, header.mtime, header.mtime);
}
