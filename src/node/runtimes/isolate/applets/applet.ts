import type { Readable, Writable } from 'node:stream';
import type { PodFiles } from './pod-files.ts';

/** A process of the pod, as the shim told it when this one was started. */
export interface PodProcess {
  pid: number;
  container: string;
  command: string;
  startedAtMs: number;
}

/** What an applet works with; it uses nothing of the process but this. */
export interface Applet {
  /** After the name. */
  args: string[];
  name: string;
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  env: Record<string, string | undefined>;
  files: PodFiles;
  /** Aborted by ^C. */
  signal: AbortSignal;
  /** Whether a person sits at the other end. */
  isTerminal: boolean;
  pod: { name: string; processes: readonly PodProcess[] };
}

/** Resolves to the exit code. */
export type RunApplet = (applet: Applet) => Promise<number>;

/** An error that ends an applet with a message for the user and an exit code. */
export class AppletError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Writes, and waits while the other side is slow; a reader that has gone ends the applet quietly. */
export async function print(stream: Writable, content: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded) throw new AppletError('', 141);
  if (stream.write(content)) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      stream.off('drain', go).off('close', go).off('error', go);
      resolve();
    };
    stream.on('drain', go).on('close', go).on('error', go);
  });
}

export interface Options {
  /** By letter, or long name; `true` where it takes no value. */
  flags: Record<string, string | true>;
  operands: string[];
}

/**
 * Reads options as getopt does: `letters` are those that are known, with `:` after each that takes a value; `long` maps
 * long names to letters, or to themselves.
 */
export function parseOptions(args: string[], letters: string, long: Record<string, string> = {}): Options {
  const flags: Options['flags'] = {};
  const operands: string[] = [];
  const takesValue = (letter: string) => letters.includes(`${letter}:`);
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === '--') {
      operands.push(...args.slice(at + 1));
      break;
    }
    if (word.startsWith('--')) {
      const [name = '', value] = splitOnce(word.slice(2), '=');
      const letter = long[name];
      if (letter === undefined) throw new AppletError(`unrecognized option: --${name}`, 1);
      flags[letter] = takesValue(letter) ? (value ?? needed(args[++at], `--${name}`)) : true;
      continue;
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      continue;
    }
    for (let index = 1; index < word.length; index++) {
      const letter = word[index]!;
      if (!letters.includes(letter) || letter === ':')
        throw new AppletError(`unrecognized option: -${letter}`, 1);
      if (!takesValue(letter)) {
        flags[letter] = true;
        continue;
      }
      flags[letter] = word.slice(index + 1) || needed(args[++at], `-${letter}`);
      break;
    }
  }
  return { flags, operands };
}

function needed(value: string | undefined, option: string): string {
  if (value === undefined) throw new AppletError(`option requires an argument: ${option}`, 1);
  return value;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** A count that an option gives. */
export function countOf(text: string | true | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (text === true || !Number.isInteger(count)) throw new AppletError(`invalid number: ${text}`, 1);
  return count;
}

/** Does something for each operand; a failure is told and the rest goes on, as Unix commands do. Resolves to the exit code. */
export async function forEach(
  applet: Applet,
  operands: string[],
  action: (operand: string) => Promise<void>,
): Promise<number> {
  const { reasonOf } = await import('./pod-files.ts');
  let exitCode = 0;
  for (const operand of operands) {
    if (applet.signal.aborted) return 130;
    try {
      await action(operand);
    } catch (error) {
      if (error instanceof AppletError) throw error;
      await print(applet.stderr, `${applet.name}: ${operand}: ${reasonOf(error)}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}
