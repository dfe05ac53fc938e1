import { StatusError } from '../base/errors.ts';

/** One instruction, with its arguments still unexpanded; `line` counts from 1. */
export interface Instruction {
  keyword: string;
  flags: Record<string, string>;
  args: string;
  line: number;
}

export interface Dockerfile {
  escapeCharacter: string;
  instructions: Instruction[];
}

const dockerfileBytesMax = 1024 * 1024;

/** Reads a Dockerfile's lines into instructions: https://docs.docker.com/reference/dockerfile/ */
export function parseDockerfile(text: string): Dockerfile {
  if (text.length > dockerfileBytesMax) {
    throw new StatusError('Invalid', `the Dockerfile is larger than ${dockerfileBytesMax} bytes`);
  }
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const escapeCharacter = /^#\s*escape\s*=\s*([\\`])\s*$/i.exec(lines[0] ?? '')?.[1] ?? '\\';
  const instructions: Instruction[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (isBlank(lines[at]!)) continue;
    const line = at + 1;
    let whole = lines[at]!.trim();
    while (whole.endsWith(escapeCharacter) && at + 1 < lines.length) {
      whole = whole.slice(0, -1);
      at++;
      // A comment between continued lines is no part of them.
      whole += isBlank(lines[at]!) ? escapeCharacter : lines[at]!.trim();
    }
    instructions.push(
      readInstruction(whole.endsWith(escapeCharacter) ? whole.slice(0, -1).trim() : whole, line),
    );
  }
  return { escapeCharacter, instructions };
}

/** The words of the JSON form `["a", "b"]`, or undefined for the other, the shell form. */
export function jsonForm(args: string): string[] | undefined {
  if (!args.startsWith('[')) return undefined;
  try {
    const words: unknown = JSON.parse(args);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {
    // Docker, too, takes what isn't JSON for the shell form.
  }
  return undefined;
}

/** An error about one line, which it names. */
export function atLine(line: number, why: string): StatusError {
  return new StatusError('Invalid', `Dockerfile line ${line}: ${why}`);
}

function readInstruction(whole: string, line: number): Instruction {
  const [, keyword, tail] = /^(\S+)\s*(.*)$/s.exec(whole)!;
  const flags: Record<string, string> = {};
  let args = tail!;
  for (let flag = nextFlag(args); flag; flag = nextFlag(args)) {
    flags[flag[1]!] = flag[2] ?? 'true';
    args = args.slice(flag[0].length);
  }
  if (/<<-?["']?[A-Za-z_]/.test(args) && /^(RUN|COPY|ADD)$/i.test(keyword!)) {
    throw atLine(line, 'here-documents are not supported; put the content in a file and COPY it');
  }
  return { keyword: keyword!.toUpperCase(), flags, args: args.trim(), line };
}

const nextFlag = (args: string) => /^--([a-z-]+)(?:=(\S*))?(?:\s+|$)/.exec(args);

const isBlank = (line: string): boolean => line.trim() === '' || line.trimStart().startsWith('#');
