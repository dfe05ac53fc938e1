import type { Stats } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { posix } from 'node:path';
import { type Applet, AppletError, forEach, parseOptions, print, type RunApplet } from './applet.ts';
import { reasonOf } from './pod-files.ts';

// Applets that look at folders and at what files are, not at what is in them.

/** How many entries one command walks over. */
export const entriesMax = 1_000_000;

export const ls: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'laAd1hFRtrin', { color: '1', all: 'a' });
  const names = operands.length > 0 ? operands : ['.'];
  let isFirst = true;
  const show = async (name: string): Promise<void> => {
    const stat = await applet.files.stat(name);
    if (!stat.isDirectory() || flags.d !== undefined) {
      await printEntries(applet, [{ name, at: name }], flags);
      return;
    }
    const listed = (await applet.files.list(name)).map((entry) => entry.name);
    const all = flags.a === undefined ? listed : ['.', '..', ...listed];
    const shown = (flags.a ?? flags.A) ? all : all.filter((each) => !each.startsWith('.'));
    if (names.length > 1 || flags.R !== undefined)
      await print(applet.stdout, `${isFirst ? '' : '\n'}${name}:\n`);
    isFirst = false;
    await printEntries(
      applet,
      shown.map((each) => ({ name: each, at: posix.join(name, each) })),
      flags,
    );
    if (flags.R === undefined) return;
    for (const entry of await applet.files.list(name)) {
      if (entry.isDirectory) await show(posix.join(name, entry.name));
    }
  };
  return forEach(applet, names, show);
};

type Shown = { name: string; at: string };

async function printEntries(
  applet: Applet,
  entries: Shown[],
  flags: Record<string, string | true>,
): Promise<void> {
  const rows = await Promise.all(
    entries.map(async ({ name, at }) => {
      const stat = await applet.files.stat(at, { follow: false }).catch(() => undefined);
      const link = stat?.isSymbolicLink() ? ` -> ${await applet.files.readLink(at).catch(() => '?')}` : '';
      const mark = flags.F !== undefined && stat?.isDirectory() ? '/' : '';
      return { name: name + mark, stat, link };
    }),
  );
  if (flags.t !== undefined) rows.sort((a, b) => (b.stat?.mtimeMs ?? 0) - (a.stat?.mtimeMs ?? 0));
  if (flags.r !== undefined) rows.reverse();
  if (flags.l === undefined) {
    for (const { name } of rows) await print(applet.stdout, `${name}\n`);
    return;
  }
  const sizeOf = (stat: Stats | undefined) =>
    flags.h === undefined ? String(stat?.size ?? 0) : readable(stat?.size ?? 0);
  const width = Math.max(0, ...rows.map(({ stat }) => sizeOf(stat).length));
  for (const { name, stat, link } of rows) {
    const size = sizeOf(stat).padStart(width);
    const time = stat ? shownTime(stat.mtime) : '?';
    const owner = `${stat?.uid ?? 0} ${stat?.gid ?? 0}`;
    await print(
      applet.stdout,
      `${modeText(stat)} ${stat?.nlink ?? 1} ${owner} ${size} ${time} ${name}${link}\n`,
    );
  }
}

/** `drwxr-xr-x` */
export function modeText(stat: Stats | undefined): string {
  if (!stat) return '??????????';
  const kind = stat.isDirectory() ? 'd' : stat.isSymbolicLink() ? 'l' : stat.isSocket() ? 's' : '-';
  const letters = [...'rwxrwxrwx'].map((letter, index) => (stat.mode & (1 << (8 - index)) ? letter : '-'));
  return kind + letters.join('');
}

/** `Nov 23 18:45`, or with the year for what is older than half a year. */
function shownTime(time: Date): string {
  const month = time.toLocaleString('en-US', { month: 'short', timeZone: 'UTC' });
  const day = String(time.getUTCDate()).padStart(2);
  const isOld = Math.abs(Date.now() - time.getTime()) > 180 * 86_400_000;
  return `${month} ${day} ${isOld ? ` ${time.getUTCFullYear()}` : time.toISOString().slice(11, 16)}`;
}

/** `1.5M` */
function readable(bytes: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${power > 0 && amount < 10 ? amount.toFixed(1) : Math.round(amount)}${units[power]}`;
}

/** Visits a file or folder and all below it, folders first; what can't be read is told. */
export async function* walk(
  applet: Applet,
  top: string,
): AsyncGenerator<{ at: string; stat: Stats; depth: number }> {
  const waiting = [{ at: top, depth: 0 }];
  let seen = 0;
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (applet.signal.aborted) return;
    if (++seen > entriesMax) throw new AppletError(`more than ${entriesMax} files`);
    const { at, depth } = next;
    const stat = await applet.files.stat(at, { follow: depth === 0 });
    yield { at, stat, depth };
    if (!stat.isDirectory()) continue;
    try {
      const entries = await applet.files.list(at);
      const below = at === '/' ? '' : at.replace(/\/$/, '');
      for (const { name } of entries.reverse()) waiting.push({ at: `${below}/${name}`, depth: depth + 1 });
    } catch (error) {
      await print(applet.stderr, `${applet.name}: ${at}: ${reasonOf(error)}\n`);
    }
  }
}

export const find: RunApplet = async (applet) => {
  const firstTest = applet.args.findIndex((word) => word.startsWith('-') || word === '!');
  const tops = firstTest < 0 ? applet.args : applet.args.slice(0, firstTest);
  const tests = testsOf(firstTest < 0 ? [] : applet.args.slice(firstTest));
  return forEach(applet, tops.length > 0 ? tops : ['.'], async (top) => {
    for await (const { at, stat, depth } of walk(applet, top)) {
      if (depth > tests.depthMax || depth < tests.depthMin) continue;
      if (tests.all.every((isWanted) => isWanted(at, stat))) await print(applet.stdout, `${at}${tests.end}`);
    }
  });
};

function testsOf(words: string[]) {
  const all: ((at: string, stat: Stats) => boolean)[] = [];
  const found = { all, depthMax: Number.POSITIVE_INFINITY, depthMin: 0, end: '\n' };
  let isNegated = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    const value = () => words[++index] ?? fail(`${word} needs a value`);
    const add = (isWanted: (at: string, stat: Stats) => boolean) => {
      const negated = isNegated;
      isNegated = false;
      all.push((at, stat) => isWanted(at, stat) !== negated);
    };
    if (word === '!' || word === '-not') isNegated = true;
    else if (word === '-name' || word === '-iname') {
      const pattern = globPattern(value(), word === '-iname');
      add((at) => pattern.test(posix.basename(at)));
    } else if (word === '-path') {
      const pattern = globPattern(value(), false, true);
      add((at) => pattern.test(at));
    } else if (word === '-type') {
      const kind = value();
      add((_, stat) => modeText(stat)[0] === (kind === 'f' ? '-' : kind));
    } else if (word === '-size') {
      const text = value();
      const units: Record<string, number> = { c: 1, k: 1024, M: 2 ** 20, G: 2 ** 30 };
      const [, sign, number, unit = ''] =
        /^([+-]?)(\d+)([ckMG]?)$/.exec(text) ?? fail(`invalid size ${text}`);
      const wanted = Number(number);
      add((_, stat) => {
        const size = Math.ceil(stat.size / (units[unit] ?? 512));
        return sign === '+' ? size > wanted : sign === '-' ? size < wanted : size === wanted;
      });
    } else if (word === '-maxdepth') found.depthMax = Number(value());
    else if (word === '-mindepth') found.depthMin = Number(value());
    else if (word === '-print0') found.end = '\0';
    else if (word !== '-print')
      fail(
        `unrecognized: ${word}; there are -name, -iname, -path, -type, -size, -maxdepth, -mindepth, !, -print and -print0`,
      );
  }
  return found;
}

function fail(message: string): never {
  throw new AppletError(message);
}

/** A shell's pattern; `*` and `?` match a slash only if `slash` says so. */
export function globPattern(glob: string, ignoreCase = false, slash = false): RegExp {
  const any = slash ? '.' : '[^/]';
  const source = glob.replace(/\[!?[^\]]+\]|[.+^${}()|\\/]|[*?[\]]/g, (found) => {
    if (found === '*') return `${any}*`;
    if (found === '?') return any;
    if (found.length > 1) return found.replace('[!', '[^').replaceAll('\\', '\\\\');
    return `\\${found}`;
  });
  return new RegExp(`^${source}$`, ignoreCase ? 'is' : 's');
}

export const stat: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'c:L', { format: 'c' });
  if (operands.length === 0) fail('usage: stat [-c FORMAT] FILE…');
  return forEach(applet, operands, async (name) => {
    const found = await applet.files.stat(name, { follow: flags.L !== undefined });
    const mode = (found.mode & 0o7777).toString(8);
    const kind = found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symbolic link'
        : 'regular file';
    if (typeof flags.c === 'string') {
      const values: Record<string, string | number> = {
        n: name,
        s: found.size,
        a: mode,
        A: modeText(found),
        u: found.uid,
        g: found.gid,
        F: kind,
        Y: Math.floor(found.mtimeMs / 1000),
        y: found.mtime.toISOString(),
        i: found.ino,
        h: found.nlink,
      };
      await print(
        applet.stdout,
        `${flags.c.replace(/%(.)/g, (whole, letter: string) => String(values[letter] ?? whole))}\n`,
      );
      return;
    }
    await print(
      applet.stdout,
      `  File: ${name}\n  Size: ${found.size}\tBlocks: ${found.blocks}\t${kind}\nAccess: (${mode.padStart(4, '0')}/${modeText(found)})  Uid: ${found.uid}  Gid: ${found.gid}\nModify: ${found.mtime.toISOString()}\n`,
    );
  });
};

export const du: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'shk');
  return forEach(applet, operands.length > 0 ? operands : ['.'], async (top) => {
    const sums = new Map<string, number>();
    const folders: string[] = [];
    for await (const { at, stat: found } of walk(applet, top)) {
      if (found.isDirectory()) folders.push(at);
      for (let folder = at; ; folder = posix.dirname(folder)) {
        sums.set(folder, (sums.get(folder) ?? 0) + found.blocks * 512);
        if (folder === top || folder === '/' || folder === '.') break;
      }
    }
    const shown = flags.s === undefined ? folders.reverse() : [top];
    for (const folder of shown.length > 0 ? shown : [top]) {
      const bytes = sums.get(folder) ?? 0;
      const size = flags.h === undefined ? String(Math.ceil(bytes / 1024)) : readable(bytes);
      await print(applet.stdout, `${size}\t${folder}\n`);
    }
  });
};

export const df: RunApplet = async (applet) => {
  const { flags } = parseOptions(applet.args, 'hk');
  const shown = (bytes: number) =>
    flags.h === undefined ? String(Math.floor(bytes / 1024)) : readable(bytes);
  const row = (cells: string[]) =>
    print(
      applet.stdout,
      `${cells[0]!.padEnd(12)} ${cells
        .slice(1, 5)
        .map((each) => each.padStart(12))
        .join(' ')} ${cells[5]}\n`,
    );
  await row([
    'Filesystem',
    flags.h === undefined ? '1K-blocks' : 'Size',
    'Used',
    'Available',
    'Use%',
    'Mounted on',
  ]);
  for (const { mountPath, hostPath } of applet.files.mounts) {
    const { bsize, blocks, bfree, bavail } = await statfs(hostPath);
    const used = (blocks - bfree) * bsize;
    const share = blocks > 0 ? Math.ceil((100 * used) / (used + bavail * bsize)) : 0;
    await row(['node', shown(blocks * bsize), shown(used), shown(bavail * bsize), `${share}%`, mountPath]);
  }
  return 0;
};
