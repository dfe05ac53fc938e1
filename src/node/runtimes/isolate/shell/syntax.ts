import { SyntaxProblem, type Token, tokenize, type Word } from './words.ts';

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

const reserved = new Set(
  'if then else elif fi while until for in do done { } ! case esac function'.split(' '),
);

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
