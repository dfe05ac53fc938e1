import { posix } from 'node:path';
import { globPattern } from '../applets/folders.ts';
import type { PodFiles } from '../applets/pod-files.ts';
import { SyntaxProblem, tokenize, type Word } from './words.ts';

export interface Expansion {
  /** A variable's value, `?` and the like included. */
  valueOf: (name: string) => string | undefined;
  assign: (name: string, value: string) => void;
  /** The output of a command, its last line ends removed. */
  outputOf: (source: string) => Promise<string>;
  files: PodFiles;
}

type Piece = { text: string; isQuoted: boolean };

/** The fields that words become: variables and commands replaced, split at blanks, file names matched. */
export async function expandWords(words: Word[], by: Expansion): Promise<string[]> {
  const fields: string[] = [];
  for (const word of words) {
    for (const field of split(await piecesOf(word, by))) fields.push(...(await matching(field, by.files)));
  }
  return fields;
}

/** One field, neither split nor matched: a value, or the target of a redirection. */
export async function expandWord(word: Word, by: Expansion): Promise<string> {
  return (await piecesOf(word, by)).map(({ text }) => text).join('');
}

async function piecesOf(word: Word, by: Expansion): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for (const part of word) {
    const { isQuoted } = part;
    if (part.kind === 'text') {
      const isHome = part.text === '~' && !isQuoted && pieces.length === 0;
      pieces.push({ text: isHome ? (by.valueOf('HOME') ?? '/') : part.text, isQuoted: isQuoted || isHome });
    } else if (part.kind === 'variable') {
      pieces.push({ text: await variable(part.expression, by), isQuoted });
    } else if (part.kind === 'command') {
      pieces.push({ text: await by.outputOf(part.source), isQuoted });
    } else {
      pieces.push({ text: String(arithmetic(part.expression, by)), isQuoted });
    }
  }
  // Split parts come as fields of their own, so a literal must not be split: it is whole already.
  return pieces.map((piece, index) => (word[index]!.kind === 'text' ? { ...piece, literal: true } : piece));
}

/** `NAME`, `#NAME`, `NAME:-word`, `:=`, `:+`, `:?`, and `#`, `##`, `%`, `%%` patterns. */
async function variable(expression: string, by: Expansion): Promise<string> {
  const length = /^#([A-Za-z_]\w*)$/.exec(expression);
  if (length) return String((by.valueOf(length[1]!) ?? '').length);
  const [, name, operator, rest = ''] =
    /^([A-Za-z_]\w*|[0-9?$#@*!])(?:(:?[-=+?]|##?|%%?)(.*))?$/s.exec(expression) ?? [];
  if (name === undefined) throw new SyntaxProblem(`\${${expression}}: bad substitution`);
  const value = by.valueOf(name);
  if (operator === undefined) return value ?? '';
  const operand = async () => {
    const words = tokenize(rest).flatMap((token) => (token.kind === 'word' ? [token.word] : []));
    return (await Promise.all(words.map((word) => expandWord(word, by)))).join(' ');
  };
  const isSet = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  switch (operator.replace(':', '')) {
    case '-':
      return isSet ? value! : operand();
    case '=':
      if (!isSet) by.assign(name, await operand());
      return by.valueOf(name) ?? '';
    case '+':
      return isSet ? operand() : '';
    case '?':
      if (!isSet) throw new SyntaxProblem(`${name}: ${(await operand()) || 'parameter not set'}`);
      return value!;
    default:
      return withoutPattern(value ?? '', operator, await operand());
  }
}

function withoutPattern(value: string, operator: string, glob: string): string {
  const pattern = globPattern(glob, false, true);
  const isPrefix = operator.startsWith('#');
  const cuts = Array.from({ length: value.length + 1 }, (_, index) => index);
  const isLongest = operator.length === 2;
  if (isPrefix === isLongest) cuts.reverse();
  for (const cut of cuts) {
    if (isPrefix && pattern.test(value.slice(0, cut))) return value.slice(cut);
    if (!isPrefix && pattern.test(value.slice(cut))) return value.slice(0, cut);
  }
  return value;
}

/** Integers, variables, `+ - * / %`, comparisons and parentheses. */
function arithmetic(expression: string, by: Expansion): number {
  const tokens = expression.match(/\d+|[A-Za-z_]\w*|\$\w+|[=!<>]=|&&|\|\||[-+*/%()<>!]/g) ?? [];
  if (tokens.join('') !== expression.replace(/\s/g, ''))
    throw new SyntaxProblem(`arithmetic: "${expression}"`);
  const levels = [['||'], ['&&'], ['==', '!='], ['<', '>', '<=', '>='], ['+', '-'], ['*', '/', '%']];
  const apply: Record<string, (a: number, b: number) => number> = {
    '||': (a, b) => Number(a !== 0 || b !== 0),
    '&&': (a, b) => Number(a !== 0 && b !== 0),
    '==': (a, b) => Number(a === b),
    '!=': (a, b) => Number(a !== b),
    '<': (a, b) => Number(a < b),
    '>': (a, b) => Number(a > b),
    '<=': (a, b) => Number(a <= b),
    '>=': (a, b) => Number(a >= b),
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '/': (a, b) => Math.trunc(a / b),
    '%': (a, b) => a % b,
  };
  const primary = (): number => {
    const token = tokens.shift();
    if (token === '(') {
      const value = binary(0);
      tokens.shift();
      return value;
    }
    if (token === '-') return -primary();
    if (token === '!') return Number(primary() === 0);
    if (token === undefined) throw new SyntaxProblem(`arithmetic: "${expression}"`);
    return /^\d/.test(token) ? Number(token) : Number(by.valueOf(token.replace('$', '')) || 0);
  };
  const binary = (level: number): number => {
    const wanted = levels[level];
    if (!wanted) return primary();
    let value = binary(level + 1);
    while (wanted.includes(tokens[0] ?? '')) value = apply[tokens.shift()!]!(value, binary(level + 1));
    return value;
  };
  const value = binary(0);
  if (!Number.isFinite(value)) throw new SyntaxProblem('divide by zero');
  return value;
}

/** Splits what came from variables and commands, unquoted, at blanks. */
function split(pieces: Piece[]): Piece[][] {
  const fields: Piece[][] = [];
  let field: Piece[] | undefined;
  for (const piece of pieces) {
    if (piece.isQuoted || (piece as Piece & { literal?: boolean }).literal) {
      field ??= [];
      field.push(piece);
      continue;
    }
    const parts = piece.text.split(/[ \t\n]+/);
    for (const [index, text] of parts.entries()) {
      if (index > 0 && field) {
        fields.push(field);
        field = undefined;
      }
      if (text === '') continue;
      field ??= [];
      field.push({ text, isQuoted: false });
    }
  }
  if (field) fields.push(field);
  return fields;
}

/** The files that a field with unquoted `*`, `?` or `[` names; itself if there are none. */
async function matching(field: Piece[], files: PodFiles): Promise<string[]> {
  const text = field.map((piece) => piece.text).join('');
  if (!field.some((piece) => !piece.isQuoted && /[*?[]/.test(piece.text))) return [text];
  const source = field
    .map((piece) => (piece.isQuoted ? piece.text.replace(/[*?[\]]/g, '[$&]') : piece.text))
    .join('');
  let found = [source.startsWith('/') ? '/' : ''];
  for (const segment of source.split('/').filter((each) => each !== '')) {
    const pattern = globPattern(segment);
    const below = await Promise.all(
      found.map(async (folder) => {
        const entries = await files.list(folder || '.').catch(() => []);
        return entries
          .filter(({ name }) => pattern.test(name) && (!name.startsWith('.') || segment.startsWith('.')))
          .map(({ name }) => posix.join(folder, name));
      }),
    );
    found = below.flat();
  }
  return found.length > 0 ? found.sort() : [text];
}
