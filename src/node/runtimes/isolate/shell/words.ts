/** What a shell's words are made of before they are expanded. */
export type Part =
  | { kind: 'text'; text: string; isQuoted: boolean }
  | { kind: 'variable'; expression: string; isQuoted: boolean }
  | { kind: 'command'; source: string; isQuoted: boolean }
  | { kind: 'arithmetic'; expression: string; isQuoted: boolean };

export type Word = Part[];

export type Token =
  | { kind: 'word'; word: Word; text: string }
  | { kind: 'operator'; text: string; fd?: number };

/** A line that can't be run. `isIncomplete`: more lines could make it whole. */
export class SyntaxProblem extends Error {
  readonly isIncomplete: boolean;

  constructor(message: string, isIncomplete = false) {
    super(message);
    this.isIncomplete = isIncomplete;
  }
}

const operators = ['&&', '||', ';;', '>>', '<<', '>&', '<&', '&>', ';', '|', '&', '<', '>', '(', ')', '\n'];

/** Splits a script into words and operators; quotes, `$…` and backquotes are kept in the parts of the words. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const char = source[at]!;
    if (char === ' ' || char === '\t' || char === '\r') at++;
    else if (source.startsWith('\\\n', at)) at += 2;
    else if (char === '#') {
      const end = source.indexOf('\n', at);
      at = end < 0 ? source.length : end;
    } else {
      const [, fd, rest] = /^(\d?)([<>].*)/s.exec(source.slice(at, at + 4)) ?? [];
      const found = operators.find((operator) => (rest ?? source.slice(at, at + 2)).startsWith(operator));
      if (found) {
        tokens.push({ kind: 'operator', text: found, ...(fd && { fd: Number(fd) }) });
        at += found.length + (fd?.length ?? 0);
      } else {
        const { word, end } = readWord(source, at);
        tokens.push({ kind: 'word', word, text: source.slice(at, end) });
        at = end;
      }
    }
  }
  return tokens;
}

/** A word from `at` up to the first unquoted blank or operator. */
function readWord(source: string, from: number): { word: Word; end: number } {
  const word: Word = [];
  let at = from;
  const text = (piece: string, isQuoted: boolean) => word.push({ kind: 'text', text: piece, isQuoted });
  while (at < source.length && !' \t\r\n;|&<>()'.includes(source[at]!)) {
    const char = source[at]!;
    if (char === "'") {
      const end = closing(source, at + 1, "'");
      text(source.slice(at + 1, end), true);
      at = end + 1;
    } else if (char === '"') {
      at = readQuoted(source, at + 1, word);
    } else if (char === '\\') {
      if (source[at + 1] !== '\n') text(source[at + 1] ?? '', true);
      at += 2;
    } else if (char === '$' || char === '`') {
      at = readExpansion(source, at, word, false);
    } else {
      text(char, false);
      at++;
    }
  }
  return { word, end: at };
}

function readQuoted(source: string, from: number, word: Word): number {
  let at = from;
  // Even empty quotes make a word.
  word.push({ kind: 'text', text: '', isQuoted: true });
  while (source[at] !== '"') {
    const char = source[at];
    if (char === undefined) throw new SyntaxProblem('unterminated quoted string', true);
    if (char === '\\' && '$`"\\\n'.includes(source[at + 1] ?? ' ')) {
      if (source[at + 1] !== '\n') word.push({ kind: 'text', text: source[at + 1]!, isQuoted: true });
      at += 2;
    } else if (char === '$' || char === '`') {
      at = readExpansion(source, at, word, true);
    } else {
      word.push({ kind: 'text', text: char, isQuoted: true });
      at++;
    }
  }
  return at + 1;
}

function readExpansion(source: string, at: number, word: Word, isQuoted: boolean): number {
  if (source[at] === '`') {
    const end = closing(source, at + 1, '`');
    word.push({ kind: 'command', source: source.slice(at + 1, end), isQuoted });
    return end + 1;
  }
  if (source.startsWith('$((', at)) {
    const end = source.indexOf('))', at);
    if (end < 0) throw new SyntaxProblem('missing "))"', true);
    word.push({ kind: 'arithmetic', expression: source.slice(at + 3, end), isQuoted });
    return end + 2;
  }
  if (source[at + 1] === '(') {
    const end = balanced(source, at + 2, '(', ')');
    word.push({ kind: 'command', source: source.slice(at + 2, end), isQuoted });
    return end + 1;
  }
  if (source[at + 1] === '{') {
    const end = balanced(source, at + 2, '{', '}');
    word.push({ kind: 'variable', expression: source.slice(at + 2, end), isQuoted });
    return end + 1;
  }
  const name = /^(?:[A-Za-z_]\w*|[0-9?$#@*!])/.exec(source.slice(at + 1))?.[0];
  if (name === undefined) word.push({ kind: 'text', text: '$', isQuoted });
  else word.push({ kind: 'variable', expression: name, isQuoted });
  return at + 1 + (name?.length ?? 0);
}

function closing(source: string, from: number, quote: string): number {
  const end = source.indexOf(quote, from);
  if (end < 0) throw new SyntaxProblem('unterminated quoted string', true);
  return end;
}

function balanced(source: string, from: number, open: string, close: string): number {
  let depth = 1;
  let quote: string | undefined;
  for (let at = from; at < source.length; at++) {
    const char = source[at]!;
    if (char === '\\') at++;
    else if (quote !== undefined) quote = char === quote ? undefined : quote;
    else if (char === "'" || char === '"') quote = char;
    else if (char === open) depth++;
    else if (char === close && --depth === 0) return at;
  }
  throw new SyntaxProblem(`missing "${close}"`, true);
}
