import os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type Applet, AppletError, forEach, parseOptions, print, type RunApplet } from './applet.ts';

// Applets that tell about the process and its pod, and those that only say yes or no.

export const env: RunApplet = async (applet) => {
  const assignments = applet.args.findIndex((word) => !word.includes('=') || word.startsWith('='));
  const count = assignments < 0 ? applet.args.length : assignments;
  const added = Object.fromEntries(
    applet.args.slice(0, count).map((word) => splitAt(word, word.indexOf('='))),
  );
  const [name, ...args] = applet.args.slice(count);
  const values = { ...applet.env, ...added };
  if (name !== undefined) {
    const { runCommand } = await import('./index.ts');
    return runCommand({ ...applet, env: values }, [name, ...args]);
  }
  for (const [key, value] of Object.entries(values)) await print(applet.stdout, `${key}=${value}\n`);
  return 0;
};

function splitAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}

export const printenv: RunApplet = async (applet) => {
  if (applet.args.length === 0) return env(applet);
  let exitCode = 0;
  for (const name of applet.args) {
    const value = applet.env[name];
    if (value === undefined) exitCode = 1;
    else await print(applet.stdout, `${value}\n`);
  }
  return exitCode;
};

export const echo: RunApplet = async ({ args, stdout }) => {
  const words = [...args];
  let isEscaped = false;
  let end = '\n';
  while (/^-[neE]+$/.test(words[0] ?? '')) {
    const option = words.shift()!;
    if (option.includes('n')) end = '';
    if (option.includes('e')) isEscaped = true;
  }
  const text = words.join(' ');
  await print(stdout, (isEscaped ? withEscapes(text) : text) + end);
  return 0;
};

export const printf: RunApplet = async ({ args, stdout }) => {
  const [format, ...values] = args;
  if (format === undefined) throw new AppletError('usage: printf FORMAT [VALUE]…');
  let left = [...values];
  do {
    const text = withEscapes(format).replace(/%(%|-?\d*[sd])/g, (_, kind: string) => {
      if (kind === '%') return '%';
      const value = left.shift() ?? '';
      const width = Number.parseInt(kind, 10) || 0;
      const shown = kind.endsWith('d') ? String(Number(value) || 0) : value;
      return width < 0 ? shown.padEnd(-width) : shown.padStart(width);
    });
    await print(stdout, text);
    if (!/%-?\d*[sd]/.test(format)) left = [];
  } while (left.length > 0);
  return 0;
};

function withEscapes(text: string): string {
  const known: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', e: '\x1b', a: '\x07' };
  return text.replace(/\\(0[0-7]{0,3}|x[0-9a-f]{1,2}|.)/gi, (whole, code: string) => {
    if (/^0[0-7]+$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8));
    if (/^x/i.test(code) && code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return known[code] ?? whole;
  });
}

export const pwd: RunApplet = async ({ files, stdout }) => {
  await print(stdout, `${files.workingDir}\n`);
  return 0;
};

export const date: RunApplet = async ({ args, stdout }) => {
  const { flags, operands } = parseOptions(args, 'uI', {});
  const now = new Date();
  const [format] = operands;
  if (flags.I !== undefined) await print(stdout, `${now.toISOString().slice(0, 10)}\n`);
  else
    await print(
      stdout,
      `${formatted(now, format?.startsWith('+') ? format.slice(1) : '%a %b %e %H:%M:%S UTC %Y')}\n`,
    );
  return 0;
};

function formatted(now: Date, format: string): string {
  const name = (options: Intl.DateTimeFormatOptions) =>
    now.toLocaleString('en-US', { ...options, timeZone: 'UTC' });
  const two = (number: number) => String(number).padStart(2, '0');
  const values: Record<string, () => string> = {
    Y: () => String(now.getUTCFullYear()),
    m: () => two(now.getUTCMonth() + 1),
    d: () => two(now.getUTCDate()),
    e: () => String(now.getUTCDate()).padStart(2),
    H: () => two(now.getUTCHours()),
    M: () => two(now.getUTCMinutes()),
    S: () => two(now.getUTCSeconds()),
    s: () => String(Math.floor(now.getTime() / 1000)),
    N: () => String(now.getUTCMilliseconds() * 1e6).padStart(9, '0'),
    F: () => now.toISOString().slice(0, 10),
    T: () => now.toISOString().slice(11, 19),
    a: () => name({ weekday: 'short' }),
    b: () => name({ month: 'short' }),
    Z: () => 'UTC',
    z: () => '+0000',
  };
  return format.replace(/%(.)/g, (whole, letter: string) =>
    letter === '%' ? '%' : (values[letter]?.() ?? whole),
  );
}

export const sleep: RunApplet = async ({ args, signal }) => {
  const units: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };
  let seconds = 0;
  for (const text of args) {
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?|\.\d+)([smhd]?)$/.exec(text) ?? [];
    // For ever: a container that only waits to be debugged.
    if (text === 'infinity' || text === 'inf') seconds = Number.POSITIVE_INFINITY;
    else if (number === undefined) throw new AppletError(`invalid number '${text}'`);
    else seconds += Number(number) * units[unit]!;
  }
  if (args.length === 0) throw new AppletError('usage: sleep SECONDS…');
  const dayMs = 86_400_000;
  for (let leftMs = seconds * 1000; leftMs > 0 && !signal.aborted; leftMs -= dayMs) {
    await delay(Math.min(leftMs, dayMs), undefined, { signal }).catch(() => {});
  }
  return signal.aborted ? 130 : 0;
};

export const yes: RunApplet = async () => 0;
export const no: RunApplet = async () => 1;

export const id: RunApplet = async ({ args, stdout }) => {
  const { flags } = parseOptions(args, 'ugn');
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  await print(stdout, flags.u ? `${uid}\n` : flags.g ? `${gid}\n` : `uid=${uid} gid=${gid} groups=${gid}\n`);
  return 0;
};

export const hostname: RunApplet = async ({ env: values, pod, stdout }) => {
  await print(stdout, `${values.HOSTNAME ?? pod.name}\n`);
  return 0;
};

export const uname: RunApplet = async ({ args, pod, stdout }) => {
  const { flags } = parseOptions(args, 'asnrmvo');
  const all = { s: os.type(), n: pod.name, r: os.release(), m: os.machine() };
  const letters = (['s', 'n', 'r', 'm'] as const).filter((letter) => flags.a !== undefined || flags[letter]);
  await print(
    stdout,
    `${(letters.length > 0 ? letters : (['s'] as const)).map((letter) => all[letter]).join(' ')}\n`,
  );
  return 0;
};

/** The pod's processes, as the shim knew them when this one was started. */
export const ps: RunApplet = async ({ pod, stdout }) => {
  await print(stdout, 'PID     CONTAINER            TIME      COMMAND\n');
  for (const { pid, container, command, startedAtMs } of pod.processes) {
    const seconds = Math.max(0, Math.floor((Date.now() - startedAtMs) / 1000));
    const time = `${Math.floor(seconds / 3600)}:${new Date(seconds * 1000).toISOString().slice(14, 19)}`;
    await print(stdout, `${String(pid).padEnd(7)} ${container.padEnd(20)} ${time.padEnd(9)} ${command}\n`);
  }
  return 0;
};

export const which: RunApplet = async ({ args, stdout }) => {
  const { isKnown } = await import('./index.ts');
  let exitCode = 0;
  for (const name of args) {
    if (isKnown(name)) await print(stdout, `/bin/${name}\n`);
    else exitCode = 1;
  }
  return exitCode;
};

/** `test` and `[`: exit code 0 if the expression holds, 1 if not, 2 if it is none. */
export const testApplet: RunApplet = async (applet) => {
  const words = [...applet.args];
  if (applet.name === '[' && words.pop() !== ']') throw new AppletError('missing ]', 2);
  return (await anyOf(applet, words)) ? 0 : 1;
};

async function anyOf(applet: Applet, words: string[]): Promise<boolean> {
  for (const either of split(words, '-o')) {
    const all = await Promise.all(split(either, '-a').map((each) => holds(applet, each)));
    if (all.every(Boolean)) return true;
  }
  return false;
}

function split(words: string[], separator: string): string[][] {
  const parts: string[][] = [[]];
  for (const word of words) word === separator ? parts.push([]) : parts.at(-1)!.push(word);
  return parts;
}

async function holds(applet: Applet, words: string[]): Promise<boolean> {
  if (words[0] === '!' && words.length > 1) return !(await holds(applet, words.slice(1)));
  const [a = '', operator = '', b = ''] = words;
  if (words.length === 0) return false;
  if (words.length === 1) return a !== '';
  if (words.length === 2) return unary(applet, a, operator);
  const numbers: Record<string, (x: number, y: number) => boolean> = {
    '-eq': (x, y) => x === y,
    '-ne': (x, y) => x !== y,
    '-gt': (x, y) => x > y,
    '-ge': (x, y) => x >= y,
    '-lt': (x, y) => x < y,
    '-le': (x, y) => x <= y,
  };
  if (operator === '=' || operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  const compare = numbers[operator];
  if (!compare || words.length > 3) throw new AppletError(`${words.join(' ')}: unknown expression`, 2);
  for (const text of [a, b]) if (!/^-?\d+$/.test(text)) throw new AppletError(`${text}: bad number`, 2);
  return compare(Number(a), Number(b));
}

async function unary({ files }: Applet, operator: string, value: string): Promise<boolean> {
  if (operator === '-z') return value === '';
  if (operator === '-n') return value !== '';
  const isLink = operator === '-L' || operator === '-h';
  const found = await files.stat(value, { follow: !isLink }).catch(() => undefined);
  if (isLink) return found?.isSymbolicLink() ?? false;
  const canWrite = () =>
    files.toWrite(value).then(
      () => true,
      () => false,
    );
  switch (operator) {
    case '-e':
    case '-r':
      return found !== undefined;
    case '-f':
      return found?.isFile() ?? false;
    case '-d':
      return found?.isDirectory() ?? false;
    case '-s':
      return (found?.size ?? 0) > 0;
    case '-w':
      return found !== undefined && (await canWrite());
    case '-x':
      return ((found?.mode ?? 0) & 0o111) !== 0;
    default:
      throw new AppletError(`${operator}: unknown operand`, 2);
  }
}

export const seq: RunApplet = async ({ args, stdout }) => {
  const numbers = args.map(Number);
  if (numbers.length === 0 || numbers.some(Number.isNaN))
    throw new AppletError('usage: seq [FIRST [STEP]] LAST');
  const [first, step, last] =
    numbers.length === 1
      ? [1, 1, numbers[0]!]
      : numbers.length === 2
        ? [numbers[0]!, 1, numbers[1]!]
        : numbers;
  for (let at = first!; step! >= 0 ? at <= last! : at >= last!; at += step!) {
    await print(stdout, `${at}\n`);
    if (step === 0) break;
  }
  return 0;
};

export const basename: RunApplet = async ({ args: [name = '', suffix = ''], stdout }) => {
  const base = name.replace(/(.)\/+$/, '$1').replace(/^.*\/(?=.)/, '');
  await print(
    stdout,
    `${suffix !== '' && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base}\n`,
  );
  return 0;
};

export const dirname: RunApplet = (applet) =>
  forEach(applet, applet.args, async (name) => {
    const { posix } = await import('node:path');
    await print(applet.stdout, `${posix.dirname(name)}\n`);
  });
