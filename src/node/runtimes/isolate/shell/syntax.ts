/** What a shell's words are made of before they are expanded. */
export type Part =
  | { kind: 'text'; text: string; isQuoted: boolean }
  | { kind: 'variable'; expression: string; isQuoted: boolean }
  | { kind: 'command'; source: string; isQuoted: boolean }
  | { kind: 'arithmetic'; expression: string; isQuoted: boolean };

export type Word = Part[];

export interface Redirection {
  fd: number;
  operator: '<' | '>' | '>>' | '>&';
  target: Word;
}

export type Command =
  | {
      kind: 'simple';
      assignments: { name: string; value: Word }[];
      words: Word[];
      redirections: Redirection[];
    }
  | { kind: 'pipeline'; commands: Command[]; isNegated: boolean }
  | { kind: 'and' | 'or'; left: Command; right: Command }
  | { kind: 'list'; commands: Command[] }
  | { kind: 'group'; body: Command; isSubshell: boolean; redirections: Redirection[] }
  | { kind: 'if'; branches: { condition: Command; body: Command }[]; otherwise: Command | undefined }
  | { kind: 'loop'; condition: Command; body: Command; isUntil: boolean }
  | { kind: 'for'; name: string; words: Word[]; body: Command };

/** A line that can't be run. `isIncomplete`: more lines could make it whole. */
export class SyntaxProblem extends Error {
  readonly isIncomplete: boolean;

  constructor(message: string, isIncomplete = false) {
    super(message);
    this.isIncomplete = isIncomplete;
  }
}

type Token = { kind: 'word'; word: Word; text: string } | { kind: 'operator'; text: string; fd?: number };

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

const reserved = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'while',
  'until',
  'for',
  'in',
  'do',
  'done',
  '{',
  '}',
  '!',
  'case',
  'esac',
  'function',
]);

/** Reads a whole script. Throws SyntaxProblem, also for what this shell lacks. */
export function parse(source: string): Command {
  return new Parser(tokenize(source)).script();
}

class Parser {
  readonly #tokens: Token[];
  #at = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  script(): Command {
    const list = this.#list([]);
    if (this.#at < this.#tokens.length) this.#unexpected();
    return list;
  }

  /** Commands up to one of these words (or a closing parenthesis), which is not taken. */
  #list(ends: string[]): Command {
    const commands: Command[] = [];
    for (;;) {
      while (this.#isOperator(';', '\n')) this.#at++;
      const token = this.#peek();
      if (!token || ends.includes(token.text)) break;
      commands.push(this.#andOr());
      if (this.#isOperator('&'))
        throw new SyntaxProblem('background jobs ("&") are not supported by this shell');
      if (!this.#isOperator(';', '\n')) break;
    }
    return { kind: 'list', commands };
  }

  #andOr(): Command {
    let left = this.#pipeline();
    while (this.#isOperator('&&', '||')) {
      const kind = this.#take().text === '&&' ? 'and' : 'or';
      this.#skipLines();
      left = { kind, left, right: this.#pipeline() };
    }
    return left;
  }

  #pipeline(): Command {
    let isNegated = false;
    while (this.#isWord('!')) {
      this.#at++;
      isNegated = !isNegated;
    }
    const commands = [this.#command()];
    while (this.#isOperator('|')) {
      this.#at++;
      this.#skipLines();
      commands.push(this.#command());
    }
    return commands.length === 1 && !isNegated ? commands[0]! : { kind: 'pipeline', commands, isNegated };
  }

  #command(): Command {
    const token = this.#peek();
    if (!token) throw new SyntaxProblem('unexpected end of input', true);
    if (token.kind === 'operator' && token.text === '(') return this.#group('(', ')');
    if (token.kind === 'word') {
      if (token.text === '{') return this.#group('{', '}');
      if (token.text === 'if') return this.#if();
      if (token.text === 'while' || token.text === 'until') return this.#loop();
      if (token.text === 'for') return this.#for();
      if (token.text === 'case' || token.text === 'function') {
        throw new SyntaxProblem(`"${token.text}" is not supported by this shell`);
      }
      if (reserved.has(token.text)) this.#unexpected();
    }
    return this.#simple();
  }

  #group(open: '(' | '{', close: ')' | '}'): Command {
    this.#take();
    const body = this.#list([close]);
    this.#expect(close);
    return { kind: 'group', body, isSubshell: open === '(', redirections: this.#redirections() };
  }

  #if(): Command {
    const branches: { condition: Command; body: Command }[] = [];
    let otherwise: Command | undefined;
    do {
      this.#take();
      const condition = this.#list(['then']);
      this.#expect('then');
      branches.push({ condition, body: this.#list(['elif', 'else', 'fi']) });
    } while (this.#isWord('elif'));
    if (this.#isWord('else')) {
      this.#take();
      otherwise = this.#list(['fi']);
    }
    this.#expect('fi');
    return { kind: 'if', branches, otherwise };
  }

  #loop(): Command {
    const isUntil = this.#take().text === 'until';
    const condition = this.#list(['do']);
    return { kind: 'loop', condition, body: this.#body(), isUntil };
  }

  #for(): Command {
    this.#take();
    const name = this.#take().text;
    const words: Word[] = [];
    this.#skipLines();
    if (this.#isWord('in')) {
      this.#take();
      for (let token = this.#peek(); token?.kind === 'word'; token = this.#peek()) {
        words.push(token.word);
        this.#at++;
      }
    }
    while (this.#isOperator(';', '\n')) this.#at++;
    return { kind: 'for', name, words, body: this.#body() };
  }

  #body(): Command {
    this.#expect('do');
    const body = this.#list(['done']);
    this.#expect('done');
    return body;
  }

  #simple(): Command {
    const assignments: { name: string; value: Word }[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (let token = this.#peek(); token; token = this.#peek()) {
      if (token.kind === 'operator') {
        if (!['<', '>', '>>', '>&', '<<', '<&', '&>'].includes(token.text)) break;
        redirections.push(this.#redirection());
        continue;
      }
      this.#at++;
      const assigned = words.length === 0 ? assignmentOf(token.word) : undefined;
      if (assigned) assignments.push(assigned);
      else words.push(token.word);
    }
    if (words.length + assignments.length + redirections.length === 0) this.#unexpected();
    if (this.#isOperator('(')) throw new SyntaxProblem('functions are not supported by this shell');
    return { kind: 'simple', assignments, words, redirections };
  }

  #redirections(): Redirection[] {
    const found: Redirection[] = [];
    while (this.#isOperator('<', '>', '>>', '>&')) found.push(this.#redirection());
    return found;
  }

  #redirection(): Redirection {
    const token = this.#take();
    const { text, fd } = token as Token & { fd?: number };
    if (text === '<<' || text === '<&' || text === '&>') {
      throw new SyntaxProblem(`"${text}" is not supported by this shell`);
    }
    const next = this.#take();
    if (next.kind !== 'word') throw new SyntaxProblem(`a file name is missing after "${text}"`);
    // Checked above: no other operator is left.
    return { operator: text as Redirection['operator'], fd: fd ?? (text === '<' ? 0 : 1), target: next.word };
  }

  #skipLines(): void {
    while (this.#isOperator('\n')) this.#at++;
  }

  #expect(text: string): void {
    const token = this.#peek();
    if (!token) throw new SyntaxProblem(`missing "${text}"`, true);
    if (token.text !== text) this.#unexpected();
    this.#at++;
  }

  #take(): Token {
    const token = this.#peek();
    if (!token) throw new SyntaxProblem('unexpected end of input', true);
    this.#at++;
    return token;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #isOperator(...texts: string[]): boolean {
    const token = this.#peek();
    return token?.kind === 'operator' && texts.includes(token.text);
  }

  #isWord(text: string): boolean {
    const token = this.#peek();
    return token?.kind === 'word' && token.text === text;
  }

  #unexpected(): never {
    const token = this.#peek();
    if (!token) throw new SyntaxProblem('unexpected end of input', true);
    const shown = token.text === '\n' ? 'newline' : `"${token.text}"`;
    throw new SyntaxProblem(`unexpected ${shown}`);
  }
}

function assignmentOf(word: Word): { name: string; value: Word } | undefined {
  let head = '';
  for (const [index, part] of word.entries()) {
    if (part.kind !== 'text' || part.isQuoted) return undefined;
    if (part.text === '=')
      return /^[A-Za-z_]\w*$/.test(head) ? { name: head, value: word.slice(index + 1) } : undefined;
    head += part.text;
  }
  return undefined;
}
