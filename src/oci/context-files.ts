import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { StatusError } from '../base/errors.ts';
import { orMissing } from './durable-file.ts';
import { type IgnoreRules, parseIgnoreFile } from './ignore-file.ts';

/** A file, folder or link of a build context; `path` is relative to the context, with `/`. */
export type ContextFile = { path: string; source: string; isExecutable: boolean } & (
  | { type: 'file'; size: number }
  | { type: 'directory' }
  | { type: 'symlink'; target: string }
);

/** Files in one build context. More is nearly always a wrong folder. */
export const contextFilesMax = 200_000;

export interface Context {
  files: ContextFile[];
  /** The ignore file that was honoured, if the context has one. */
  ignoreFile?: string;
}

const ignoreFiles = ['.selvageignore', '.dockerignore'];
const neverCopied = new Set(['.git', ...ignoreFiles]);

/** Lists a build context in a fixed order, without what its ignore file leaves out and without `.git`. */
export async function readContext(folder: string): Promise<Context> {
  const status = await orMissing(stat(folder));
  if (!status?.isDirectory()) {
    throw new StatusError('NotFound', `build context ${folder} is not a folder; name the folder to build`);
  }
  for (const name of ignoreFiles) {
    const text = await orMissing(readFile(join(folder, name), 'utf8'));
    if (text === undefined) continue;
    return { files: await listFiles(folder, { ignore: parseIgnoreFile(text) }), ignoreFile: name };
  }
  return { files: await listFiles(folder) };
}

/** Lists a folder in a fixed order; links stay links, and may not lead out of it unless `outside` allows. */
export async function listFiles(
  folder: string,
  options: { ignore?: IgnoreRules; outside?: 'refuse' | 'allow'; filesMax?: number } = {},
): Promise<ContextFile[]> {
  const { ignore = parseIgnoreFile(''), outside = 'refuse', filesMax = contextFilesMax } = options;
  const files: ContextFile[] = [];
  const walk = async (below: string): Promise<void> => {
    const names = (await readdir(join(folder, below))).sort();
    for (const name of names) {
      if (below === '' && outside === 'refuse' && neverCopied.has(name)) continue;
      const path = below ? `${below}/${name}` : name;
      const isIgnored = ignore.isIgnored(path);
      if (isIgnored && ignore.isFinal) continue;
      const file = await describe(folder, path, outside);
      if (!isIgnored) files.push(file);
      if (files.length > filesMax) throw tooMany(folder, filesMax);
      if (file.type === 'directory') await walk(path);
    }
  };
  await walk('');
  return files;
}

async function describe(folder: string, path: string, outside: 'refuse' | 'allow'): Promise<ContextFile> {
  const source = join(folder, path);
  const status = await lstat(source);
  const common = { path, source, isExecutable: (status.mode & 0o100) !== 0 };
  if (status.isFile()) return { ...common, type: 'file', size: status.size };
  if (status.isDirectory()) return { ...common, type: 'directory' };
  if (!status.isSymbolicLink()) {
    throw new StatusError(
      'Invalid',
      `${source} is a socket, pipe or device; remove it or list it in .dockerignore`,
    );
  }
  const target = (await readlink(source)).replaceAll('\\', '/');
  if (outside === 'refuse' && leadsOut(path, target)) {
    throw new StatusError(
      'Invalid',
      `${source} links to ${target}, outside the build context; copy it in (for packages: npm install --install-links)`,
    );
  }
  return { ...common, type: 'symlink', target };
}

function leadsOut(path: string, target: string): boolean {
  const reached = posix.normalize(posix.join(posix.dirname(path), target));
  return posix.isAbsolute(target) || reached === '..' || reached.startsWith('../');
}

function tooMany(folder: string, filesMax: number): StatusError {
  return new StatusError(
    'Invalid',
    `build context ${folder} has more than ${filesMax} files; is it the right folder? List what to leave out in .dockerignore`,
  );
}
