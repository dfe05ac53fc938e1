import { type Applet, AppletError, print, type RunApplet } from './applet.ts';
import { reasonOf } from './pod-files.ts';

type Loader = () => Promise<RunApplet>;

const text =
  (name: 'cat' | 'head' | 'tail' | 'wc' | 'grep'): Loader =>
  async () =>
    (await import('./text.ts'))[name];
const folders =
  (name: 'ls' | 'find' | 'stat' | 'du' | 'df'): Loader =>
  async () =>
    (await import('./folders.ts'))[name];
const changes =
  (name: keyof typeof import('./changes.ts')): Loader =>
  async () =>
    // Only applets are named below.
    (await import('./changes.ts'))[name] as RunApplet;
const about =
  (name: keyof typeof import('./about.ts')): Loader =>
  async () =>
    (await import('./about.ts'))[name];

/** Every command, loaded when it is first used. */
const applets: Record<string, Loader> = {
  node: async () => (await import('./node.ts')).node,
  sh: async () => (await import('../shell/sh.ts')).sh,
  wget: async () => (await import('./download.ts')).wget,
  curl: async () => (await import('./download.ts')).curl,
  tar: async () => (await import('./archive.ts')).tar,
  cat: text('cat'),
  head: text('head'),
  tail: text('tail'),
  wc: text('wc'),
  grep: text('grep'),
  ls: folders('ls'),
  find: folders('find'),
  stat: folders('stat'),
  du: folders('du'),
  df: folders('df'),
  mkdir: changes('mkdir'),
  rmdir: changes('rmdir'),
  rm: changes('rm'),
  cp: changes('cp'),
  mv: changes('mv'),
  touch: changes('touch'),
  chmod: changes('chmodApplet'),
  tee: changes('tee'),
  env: about('env'),
  printenv: about('printenv'),
  echo: about('echo'),
  printf: about('printf'),
  pwd: about('pwd'),
  date: about('date'),
  sleep: about('sleep'),
  true: about('yes'),
  false: about('no'),
  test: about('testApplet'),
  '[': about('testApplet'),
  id: about('id'),
  hostname: about('hostname'),
  uname: about('uname'),
  ps: about('ps'),
  which: about('which'),
  seq: about('seq'),
  basename: about('basename'),
  dirname: about('dirname'),
};

const binFolders = ['/bin/', '/usr/bin/', '/sbin/', '/usr/sbin/', '/usr/local/bin/'];

/** The command that a name or a path such as `/bin/ls` means; undefined if there is none. */
export function appletNamed(word: string): string | undefined {
  const folder = binFolders.find((each) => word.startsWith(each));
  const name = folder ? word.slice(folder.length) : word;
  return Object.hasOwn(applets, name) ? name : undefined;
}

export const isKnown = (word: string): boolean => appletNamed(word) !== undefined;

export const appletNames: readonly string[] = Object.keys(applets);

/** How shells tell that a command was not found, or could not be run. */
export const exitCodeNotFound = 127;
const exitCodeInterrupted = 130;

/** Runs a command by name; what goes wrong is told on standard error. Resolves to the exit code. */
export async function runCommand(io: Omit<Applet, 'args' | 'name'>, words: string[]): Promise<number> {
  const [word = '', ...args] = words[0] === 'busybox' ? words.slice(1) : words;
  const name = appletNamed(word);
  if (name === undefined) {
    await print(io.stderr, notFound(word)).catch(() => {});
    return exitCodeNotFound;
  }
  const run = await applets[name]!();
  try {
    const exitCode = await run({ ...io, name, args });
    return io.signal.aborted ? exitCodeInterrupted : exitCode;
  } catch (error) {
    if (io.signal.aborted) return exitCodeInterrupted;
    const message = error instanceof AppletError ? error.message : reasonOf(error);
    if (message !== '') await print(io.stderr, `${name}: ${message}\n`).catch(() => {});
    return error instanceof AppletError ? error.exitCode : 1;
  }
}

/** In containerd's words. */
export function notFound(word: string): string {
  const why = word.includes('/')
    ? `stat ${word}: no such file or directory`
    : 'executable file not found in $PATH';
  return `exec: ${JSON.stringify(word)}: ${why}\n`;
}
