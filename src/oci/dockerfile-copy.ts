import { posix } from 'node:path';

import type { ContextFile } from './context-files.ts';
import { atLine, type Dockerfile, type Instruction, jsonForm } from './dockerfile.ts';
import { absolute, type Stage, words } from './dockerfile-stage.ts';
import { patternToRegExp } from './ignore-file.ts';
import type { LayerEntry } from './layer.ts';

/** Where a COPY takes files from: the context, or another stage's unpacked root. */
export interface CopySource {
  name: string;
  files: ContextFile[];
}

/** The layer entries that a COPY or ADD makes; `isFolder` tells whether the image already has such a folder. */
export async function copyEntries(
  stage: Stage,
  instruction: Instruction,
  dockerfile: Dockerfile,
  source: CopySource,
  isFolder: (path: string) => Promise<boolean>,
): Promise<LayerEntry[]> {
  const { line } = instruction;
  const paths = jsonForm(instruction.args) ?? words(stage, instruction, dockerfile);
  if (paths.length < 2) throw atLine(line, `${instruction.keyword} needs a source and a destination`);
  const patterns = paths.slice(0, -1);
  const given = paths.at(-1)!;
  const target = absolute(stage, given);
  const matched = patterns.flatMap((pattern) => find(pattern, source, instruction));
  const intoFolder = given.endsWith('/') || given === '.' || given.endsWith('/.') || (await isFolder(target));
  if (matched.length > 1 && !intoFolder) {
    throw atLine(line, `several sources need a destination that ends with "/", not ${given}`);
  }
  const attributes = readAttributes(instruction);
  const entries: LayerEntry[] = [];
  for (const match of matched) {
    if (match.file?.type === 'file' || match.file?.type === 'symlink') {
      const path = intoFolder ? posix.join(target, posix.basename(match.file.path)) : target;
      entries.push(entryOf(match.file, path, attributes));
      continue;
    }
    if (target !== '/' && !(await isFolder(target))) entries.push(folderEntry(target, attributes));
    for (const file of match.below) {
      entries.push(entryOf(file, posix.join(target, posix.relative(match.path, file.path)), attributes));
    }
  }
  return entries;
}

interface Match {
  path: string;
  /** Undefined for the root of the source itself. */
  file?: ContextFile;
  below: ContextFile[];
}

function find(pattern: string, source: CopySource, { line }: Instruction): Match[] {
  const wanted = posix.resolve('/', pattern).slice(1);
  if (wanted === '') return [{ path: '', below: source.files }];
  const matches = patternToRegExp(wanted);
  const found = source.files
    .filter((file) => file.path === wanted || matches.test(file.path))
    .map((file) => follow(file, source));
  if (found.length === 0) {
    throw atLine(line, `${pattern} is not in ${source.name}, or an ignore file leaves it out`);
  }
  return found.map((file) => ({
    path: file.path,
    file,
    below: source.files.filter((each) => each.path.startsWith(`${file.path}/`)),
  }));
}

/** A link that is named as a source stands for what it points at; within a copied folder, links stay links. */
function follow(link: ContextFile, source: CopySource): ContextFile {
  let file = link;
  for (let hops = 0; file.type === 'symlink' && hops < 40; hops++) {
    const path = posix.resolve('/', posix.dirname(file.path), file.target).slice(1);
    const next = source.files.find((each) => each.path === path);
    if (!next) return link;
    file = next;
  }
  return file;
}

interface Attributes {
  uid: number;
  gid: number;
  mode?: number;
}

function readAttributes({ flags, line }: Instruction): Attributes {
  const [, uid = '0', gid = uid] = /^(\d+)(?::(\d+))?$/.exec(flags.chown ?? '0') ?? [];
  if (flags.chown !== undefined && !/^\d+(:\d+)?$/.test(flags.chown)) {
    throw atLine(line, `--chown=${flags.chown}: give numbers, such as --chown=1000:1000`);
  }
  if (flags.chmod !== undefined && !/^[0-7]{3,4}$/.test(flags.chmod)) {
    throw atLine(line, `--chmod=${flags.chmod}: give octal digits, such as --chmod=755`);
  }
  const mode = flags.chmod === undefined ? {} : { mode: Number.parseInt(flags.chmod, 8) };
  return { uid: Number(uid), gid: Number(gid), ...mode };
}

function entryOf(file: ContextFile, target: string, { uid, gid, mode }: Attributes): LayerEntry {
  const path = target.replace(/^\/+/, '');
  if (file.type === 'directory') return { path, uid, gid, type: 'directory', mode: mode ?? 0o755 };
  if (file.type === 'symlink') return { path, uid, gid, type: 'symlink', mode: 0o777, target: file.target };
  const { source, size, isExecutable } = file;
  return { path, uid, gid, type: 'file', mode: mode ?? (isExecutable ? 0o755 : 0o644), source, size };
}

function folderEntry(target: string, { uid, gid }: Attributes): LayerEntry {
  return { path: target.replace(/^\/+|\/+$/g, ''), uid, gid, type: 'directory', mode: 0o755 };
}
