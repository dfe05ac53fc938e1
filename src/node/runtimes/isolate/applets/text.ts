import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Applet, AppletError, countOf, forEach, parseOptions, print, type RunApplet } from './applet.ts';

// Applets that read text: each takes files, or standard input where none (or `-`) is named.

const followPollMs = 250;
/** The longest line that grep, head and tail hold. */
const lineCharsMax = 16 * 1024 * 1024;

export const cat: RunApplet = (applet) => {
  const { operands } = parseOptions(applet.args, 'u');
  return forEach(applet, operands.length > 0 ? operands : ['-'], async (name) => {
    for await (const chunk of await reading(applet, name)) await print(applet.stdout, chunk as Buffer);
  });
};

export const head: RunApplet = (applet) => {
  const { flags, operands } = parseOptions(withCount(applet.args), 'n:c:q');
  const lines = countOf(flags.n, 10);
  return eachWithTitle(applet, operands, flags.q === true, async (name) => {
    if (flags.c !== undefined) return headBytes(applet, name, countOf(flags.c, 0));
    let left = lines;
    if (left <= 0) return;
    for await (const line of linesOf(applet, name)) {
      await print(applet.stdout, line);
      if (--left <= 0) return;
    }
  });
};

async function headBytes(applet: Applet, name: string, count: number): Promise<void> {
  let left = count;
  for await (const chunk of await reading(applet, name)) {
    const part = (chunk as Buffer).subarray(0, left);
    await print(applet.stdout, part);
    left -= part.length;
    if (left <= 0) return;
  }
}

export const tail: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(withCount(applet.args), 'n:c:qfF');
  const text = String(flags.n ?? flags.c ?? '10');
  const exitCode = await eachWithTitle(applet, operands, flags.q === true, async (name) => {
    const parts = flags.c === undefined ? linesOf(applet, name) : bytesOf(applet, name);
    const count = Math.abs(countOf(text.replace('+', ''), 10));
    if (text.startsWith('+')) {
      let skipped = 1;
      for await (const part of parts) if (skipped++ >= count) await print(applet.stdout, part);
      return;
    }
    const last: (string | Buffer)[] = [];
    for await (const part of parts) {
      last.push(part);
      if (last.length > count) last.shift();
    }
    for (const part of last) await print(applet.stdout, part);
  });
  const [name] = operands;
  if ((flags.f ?? flags.F) === undefined || name === undefined || exitCode !== 0) return exitCode;
  return follow(applet, name);
};

/** Prints what a file grows by, until ^C. */
async function follow({ files, signal, stdout }: Applet, name: string): Promise<number> {
  let at = (await files.stat(name)).size;
  while (!signal.aborted) {
    const hostPath = await files.toRead(name);
    const { size } = await stat(hostPath);
    if (size < at) at = 0;
    if (size > at) {
      const handle = await open(hostPath, 'r');
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(Math.min(size - at, 64 * 1024)),
        0,
        undefined,
        at,
      );
      await handle.close();
      at += bytesRead;
      await print(stdout, buffer.subarray(0, bytesRead));
      continue;
    }
    await delay(followPollMs, undefined, { signal }).catch(() => {});
  }
  return 130;
}

export const wc: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'lwcm');
  const shown = ['l', 'w', 'c', 'm'].filter((letter) => flags[letter]);
  const columns = shown.length > 0 ? shown : ['l', 'w', 'c'];
  const total = { l: 0, w: 0, c: 0, m: 0 };
  const show = (counts: typeof total, name: string) => {
    const numbers = columns.map((letter) => String(counts[letter as 'l']));
    const text = numbers.length === 1 ? numbers[0]! : numbers.map((each) => each.padStart(9)).join(' ');
    return print(applet.stdout, `${text}${name === '' ? '' : ` ${name}`}\n`);
  };
  const exitCode = await forEach(applet, operands.length > 0 ? operands : ['-'], async (name) => {
    const counts = await count(applet, name);
    for (const letter of ['l', 'w', 'c', 'm'] as const) total[letter] += counts[letter];
    await show(counts, operands.length > 0 ? name : '');
  });
  if (operands.length > 1) await show(total, 'total');
  return exitCode;
};

async function count(applet: Applet, name: string): Promise<{ l: number; w: number; c: number; m: number }> {
  const counts = { l: 0, w: 0, c: 0, m: 0 };
  let isInWord = false;
  for await (const chunk of await reading(applet, name)) {
    for (const byte of chunk as Buffer) {
      counts.c++;
      if ((byte & 0xc0) !== 0x80) counts.m++;
      if (byte === 10) counts.l++;
      const isSpace = byte === 32 || (byte >= 9 && byte <= 13);
      if (!isSpace && !isInWord) counts.w++;
      isInWord = !isSpace;
    }
  }
  return counts;
}

export const grep: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'ivnclqorREFHhe:swx', { color: 'E', colour: 'E' });
  const [source, ...names] = flags.e === undefined ? operands : [String(flags.e), ...operands];
  if (source === undefined) throw new AppletError('usage: grep [-ivnclqorEFHhwx] PATTERN [FILE]…', 2);
  const isRecursive = flags.r !== undefined || flags.R !== undefined;
  const found = isRecursive ? await allFiles(applet, names.length > 0 ? names : ['.']) : names;
  const targets = found.length > 0 || isRecursive ? found : ['-'];
  const pattern = patternOf(source, flags);
  const isNamed = flags.H !== undefined || (flags.h === undefined && (targets.length > 1 || isRecursive));
  let matched = false;
  const exitCode = await forEach(applet, targets, async (name) => {
    let number = 0;
    let hits = 0;
    const prefix = isNamed ? `${name === '-' ? '(standard input)' : name}:` : '';
    for await (const line of linesOf(applet, name)) {
      number++;
      const text = line.replace(/\n$/, '');
      if (pattern.test(text) === (flags.v !== undefined)) continue;
      matched = true;
      hits++;
      if (flags.q !== undefined || flags.l !== undefined) break;
      if (flags.c !== undefined) continue;
      const place = flags.n === undefined ? prefix : `${prefix}${number}:`;
      const parts =
        flags.o === undefined ? [text] : (text.match(new RegExp(pattern, `${pattern.flags}g`)) ?? []);
      for (const part of parts) await print(applet.stdout, `${place}${part}\n`);
    }
    if (flags.c !== undefined) await print(applet.stdout, `${prefix}${hits}\n`);
    if (flags.l !== undefined && hits > 0) await print(applet.stdout, `${name}\n`);
  });
  if (exitCode !== 0) return 2;
  return matched ? 0 : 1;
};

/** JavaScript's expressions stand in for POSIX' extended ones, which they contain but for classes. */
function patternOf(source: string, flags: Record<string, string | true>): RegExp {
  const classes: Record<string, string> = {
    alpha: 'A-Za-z',
    digit: '0-9',
    alnum: 'A-Za-z0-9',
    space: '\\s',
    upper: 'A-Z',
    lower: 'a-z',
    punct: '!-\\/:-@\\[-`{-~',
  };
  const escaped = source.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  // In basic expressions + ? | ( ) { } are literal, and escaping gives them their meaning.
  const basic = source.replace(/\\?[+?|(){}]/g, (found) => (found.length === 2 ? found[1]! : `\\${found}`));
  const chosen = flags.F !== undefined ? escaped : flags.E !== undefined ? source : basic;
  let text = chosen.replace(/\[:(\w+):\]/g, (whole, name: string) => classes[name] ?? whole);
  if (flags.w !== undefined) text = `\\b(?:${text})\\b`;
  if (flags.x !== undefined) text = `^(?:${text})$`;
  try {
    return new RegExp(text, flags.i === undefined ? '' : 'i');
  } catch (error) {
    throw new AppletError(`bad regex '${source}': ${(error as Error).message}`, 2);
  }
}

async function allFiles(applet: Applet, names: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    if (!(await applet.files.stat(name)).isDirectory()) found.push(name);
    else {
      const inside = (await applet.files.list(name)).map(
        (entry) => `${name.replace(/\/$/, '')}/${entry.name}`,
      );
      found.push(...(await allFiles(applet, inside)));
    }
  }
  return found;
}

export async function reading({ files, stdin }: Applet, name: string): Promise<Readable> {
  if (name === '-' || name === '/dev/stdin') return stdin;
  if (name === '/dev/null') return (await import('node:stream')).Readable.from([]);
  if ((await files.stat(name)).isDirectory()) throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' });
  return createReadStream(await files.toRead(name));
}

/** Lines with their line ends; the last may have none. */
export async function* linesOf(applet: Applet, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of await reading(applet, name)) {
    rest += decoder.decode(chunk as Buffer, { stream: true });
    let start = 0;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
      yield rest.slice(start, end + 1);
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > lineCharsMax)
      throw new AppletError(`a line of ${name} is longer than ${lineCharsMax} characters`);
  }
  if (rest !== '') yield rest;
}

async function* bytesOf(applet: Applet, name: string): AsyncGenerator<Buffer> {
  for await (const chunk of await reading(applet, name)) {
    for (const byte of chunk as Buffer) yield Buffer.of(byte);
  }
}

async function eachWithTitle(
  applet: Applet,
  operands: string[],
  isQuiet: boolean,
  action: (name: string) => Promise<void>,
): Promise<number> {
  let isFirst = true;
  return forEach(applet, operands.length > 0 ? operands : ['-'], async (name) => {
    if (operands.length > 1 && !isQuiet)
      await print(applet.stdout, `${isFirst ? '' : '\n'}==> ${name} <==\n`);
    isFirst = false;
    await action(name);
  });
}

/** `-20` for `-n 20`. */
function withCount(args: string[]): string[] {
  return args.flatMap((word) => (/^-\d+$/.test(word) ? ['-n', word.slice(1)] : [word]));
}
