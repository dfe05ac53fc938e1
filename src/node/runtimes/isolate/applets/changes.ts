import {
  chmod,
  copyFile,
  mkdir as makeFolder,
  open,
  rm as removeAll,
  rmdir as removeFolder,
  rename,
  unlink,
  utimes,
} from 'node:fs/promises';
import { posix } from 'node:path';
import { type Applet, AppletError, forEach, parseOptions, print, type RunApplet } from './applet.ts';
import { walk } from './folders.ts';
import { codeOf } from './pod-files.ts';

// Applets that change files; they can do so in writable mounts only.

export const mkdir: RunApplet = (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'pm:', { parents: 'p' });
  if (operands.length === 0) throw new AppletError('usage: mkdir [-p] FOLDER…');
  const recursive = flags.p !== undefined;
  const mode = typeof flags.m === 'string' ? Number.parseInt(flags.m, 8) : 0o777;
  return forEach(applet, operands, async (name) => {
    if (recursive) return makeParents(applet, name, mode);
    await makeFolder(await applet.files.toWrite(name), { mode });
  });
};

/** One folder after the other, since each must be looked at before something is made in it. */
export async function makeParents(applet: Applet, name: string, mode = 0o777): Promise<void> {
  const whole = applet.files.absolute(name);
  const found = await applet.files.stat(whole).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found?.isDirectory()) return;
  if (found) throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
  if (whole !== '/') await makeParents(applet, posix.dirname(whole));
  await makeFolder(await applet.files.toWrite(whole), { mode });
}

export const rmdir: RunApplet = (applet) => {
  const { operands } = parseOptions(applet.args, '');
  return forEach(applet, operands, async (name) => removeFolder(await applet.files.toWrite(name)));
};

export const rm: RunApplet = (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'rRf', { recursive: 'r', force: 'f' });
  if (operands.length === 0 && flags.f === undefined) throw new AppletError('usage: rm [-rf] FILE…');
  return forEach(applet, operands, async (name) => {
    try {
      const found = await applet.files.stat(name, { follow: false });
      const target = await applet.files.toWrite(name);
      if (!found.isDirectory()) await unlink(target);
      else if (flags.r ?? flags.R) await removeAll(target, { recursive: true });
      else throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' });
    } catch (error) {
      if (flags.f === undefined || codeOf(error) !== 'ENOENT') throw error;
    }
  });
};

export const cp: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'rRapfv', { recursive: 'r', archive: 'a' });
  const isRecursive = (flags.r ?? flags.R ?? flags.a) !== undefined;
  return intoTarget(applet, operands, (source, target) => copy(applet, source, target, isRecursive));
};

async function copy(applet: Applet, source: string, target: string, isRecursive: boolean): Promise<void> {
  const { files } = applet;
  if (!(await files.stat(source)).isDirectory()) {
    await copyFile(await files.toRead(source), await files.toWrite(target));
    return;
  }
  if (!isRecursive) throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' });
  for await (const { at, stat } of walk(applet, source)) {
    const to = posix.join(target, posix.relative(source, at));
    if (stat.isDirectory()) await makeParents(applet, to);
    else if (stat.isFile()) await copyFile(await files.toRead(at), await files.toWrite(to));
  }
}

export const mv: RunApplet = (applet) => {
  const { operands } = parseOptions(applet.args, 'fn');
  return intoTarget(applet, operands, async (source, target) => {
    const from = await applet.files.toWrite(source);
    try {
      await rename(from, await applet.files.toWrite(target));
    } catch (error) {
      if (codeOf(error) !== 'EXDEV') throw error;
      await copy(applet, source, target, true);
      await removeAll(from, { recursive: true });
    }
  });
};

/** One source to a name, or any number into a folder. */
async function intoTarget(
  applet: Applet,
  operands: string[],
  action: (source: string, target: string) => Promise<void>,
): Promise<number> {
  const sources = operands.slice(0, -1);
  const target = operands.at(-1);
  if (target === undefined || sources.length === 0)
    throw new AppletError(`usage: ${applet.name} SOURCE… TARGET`);
  const isFolder = await applet.files.stat(target).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (sources.length > 1 && !isFolder) throw new AppletError(`${target} is not a folder`);
  return forEach(applet, sources, (source) =>
    action(source, isFolder ? posix.join(target, posix.basename(applet.files.absolute(source))) : target),
  );
}

export const touch: RunApplet = (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'cam');
  return forEach(applet, operands, async (name) => {
    const target = await applet.files.toWrite(name);
    const now = new Date();
    try {
      await utimes(target, now, now);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      if (flags.c === undefined) await (await open(target, 'a')).close();
    }
  });
};

export const chmodApplet: RunApplet = (applet) => {
  const [text = '', ...names] = parseOptions(applet.args, '').operands;
  if (!/^[0-7]{3,4}$/.test(text))
    throw new AppletError(`mode "${text}" is not supported; write it in octal, as in 644`);
  return forEach(applet, names, async (name) =>
    chmod(await applet.files.toWrite(name), Number.parseInt(text, 8)),
  );
};

export const tee: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'a');
  const handles = await Promise.all(
    operands.map(async (name) => open(await applet.files.toWrite(name), flags.a === undefined ? 'w' : 'a')),
  );
  for await (const chunk of applet.stdin) {
    for (const handle of handles) await handle.write(chunk as Buffer);
    await print(applet.stdout, chunk as Buffer);
  }
  await Promise.all(handles.map((handle) => handle.close()));
  return 0;
};
