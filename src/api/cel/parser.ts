import type { Expr, MapEntry, StructExpr } from './ast.ts';
import { isReserved } from './escape.ts';
import { readNumber, type Token, tokenize } from './lexer.ts';
import { expandMacro } from './macros.ts';
import { CelCompileError, type CelIssue } from './source.ts';

/** As cel-go: longer expressions and deeper nesting are refused. */
export const codePointsMax = 100_000;
export const nestingMax = 250;

const primary =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const afterBrace =
  "{'[', '{', '}', '(', '.', ',', '-', '!', '?', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** The syntax tree, macros expanded. Throws CelCompileError. */
export function parse(source: string): Expr {
  if (source.length > codePointsMax && [...source].length > codePointsMax) {
    const message = `expression code point size exceeds limit: size: ${[...source].length}, limit ${codePointsMax}`;
    throw new CelCompileError(source, [{ offset: -1, message }]);
  }
  const issues: CelIssue[] = [];
  const parser = new Parser(tokenize(source, issues), issues);
  let expr: Expr | undefined;
  try {
    expr = parser.parse();
  } catch (error) {
    if (error !== stop) throw error;
  }
  if (issues.length > 0 || !expr) throw new CelCompileError(source, issues);
  return expr;
}

// Thrown after a syntax error is noted; the rest of the text is not looked at.
const stop = Symbol('syntax error');

const relations = new Set(['<', '<=', '>', '>=', '==', '!=', 'in']);
const operatorNames: Record<string, string> = {
  in: '@in',
  ...Object.fromEntries(
    ['<', '<=', '>', '>=', '==', '!=', '+', '-', '*', '/', '%'].map((o) => [o, `_${o}_`]),
  ),
};

class Parser {
  readonly #tokens: Token[];
  readonly #issues: CelIssue[];
  #at = 0;
  #depth = 0;

  constructor(tokens: Token[], issues: CelIssue[]) {
    this.#tokens = tokens;
    this.#issues = issues;
  }

  parse(): Expr {
    const expr = this.#expression();
    if (this.#token.kind !== 'end') this.#unexpected('<EOF>');
    return expr;
  }

  get #token(): Token {
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    return this.#tokens[this.#at++]!;
  }

  #is(text: string): boolean {
    const { kind } = this.#token;
    return this.#token.text === text && (kind === 'symbol' || kind === 'keyword');
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): Token {
    if (!this.#is(text)) this.#unexpected(`'${text}'`);
    return this.#next();
  }

  #issue(offset: number, message: string): void {
    this.#issues.push({ offset, message });
  }

  #unexpected(expected: string): never {
    const { offset, text } = this.#token;
    // ANTLR calls a token extraneous where the one after it would do.
    const following = this.#tokens[this.#at + 1];
    const isExtra = this.#token.kind !== 'end' && expected === '<EOF>' && following?.kind === 'end';
    this.#issue(
      offset,
      `Syntax error: ${isExtra ? 'extraneous' : 'mismatched'} input '${text}' expecting ${expected}`,
    );
    throw stop;
  }

  #expression(): Expr {
    if (++this.#depth > nestingMax) {
      this.#issue(-1, `expression recursion limit exceeded: ${nestingMax}`);
      throw stop;
    }
    const condition = this.#logical('||', () => this.#logical('&&', () => this.#relation()));
    let expr = condition;
    if (this.#is('?')) {
      const { offset } = this.#next();
      const then = this.#logical('||', () => this.#logical('&&', () => this.#relation()));
      this.#expect(':');
      const otherwise = this.#expression();
      expr = { kind: 'call', name: '_?_:_', args: [condition, then, otherwise], offset };
    }
    this.#depth--;
    return expr;
  }

  #logical(operator: '&&' | '||', operand: () => Expr): Expr {
    const terms = [operand()];
    const offsets: number[] = [];
    while (this.#is(operator)) {
      offsets.push(this.#next().offset);
      terms.push(operand());
    }
    return balance(`_${operator}_`, terms, offsets, 0, terms.length - 1);
  }

  #relation(): Expr {
    return this.#binary(relations, () =>
      this.#binary(new Set(['+', '-']), () => this.#binary(new Set(['*', '/', '%']), () => this.#unary())),
    );
  }

  #binary(operators: ReadonlySet<string>, operand: () => Expr): Expr {
    let left = operand();
    let chain = 0;
    while (
      operators.has(this.#token.text) &&
      (this.#token.kind === 'symbol' || this.#token.kind === 'keyword')
    ) {
      if (++chain > nestingMax) {
        this.#issue(-1, 'max recursion depth exceeded');
        throw stop;
      }
      const { text, offset } = this.#next();
      left = { kind: 'call', name: operatorNames[text]!, args: [left, operand()], offset };
    }
    return left;
  }

  #unary(): Expr {
    const { offset, text } = this.#token;
    if (!this.#is('!') && !this.#is('-')) return this.#member();
    const following = this.#tokens[this.#at + 1]!;
    // `-1` is one literal, so that the least integer can be written.
    if (text === '-' && following.kind === 'literal' && following.value === undefined) {
      this.#next();
      const token = this.#next();
      const value = readNumber({ ...token, offset }, true, this.#issues);
      return this.#memberOf({ kind: 'literal', value, offset });
    }
    let count = 0;
    while (this.#take(text)) count++;
    if (this.#is('!') || this.#is('-')) this.#unexpected(primary);
    const last = this.#tokens[this.#at]!;
    let operand: Expr;
    if (text === '-' && last.kind === 'literal' && last.value === undefined) {
      this.#at--;
      count--;
      operand = this.#unary();
    } else operand = this.#member();
    if (count % 2 === 0) return operand;
    return { kind: 'call', name: text === '!' ? '!_' : '-_', args: [operand], offset };
  }

  #member(): Expr {
    return this.#memberOf(this.#primary());
  }

  #memberOf(start: Expr): Expr {
    let expr = start;
    let chain = 0;
    for (;;) {
      if (++chain > nestingMax) {
        this.#issue(-1, 'max recursion depth exceeded');
        throw stop;
      }
      if (this.#is('.')) expr = this.#selection(expr);
      else if (this.#is('[')) expr = this.#index(expr);
      else if (this.#is('{') && isName(expr)) expr = this.#struct(expr);
      else return expr;
    }
  }

  #selection(operand: Expr): Expr {
    const dot = this.#next();
    const optional = this.#take('?');
    const token = this.#token;
    if (token.kind === 'quoted') {
      this.#issue(token.offset, "unsupported syntax: '`'");
      throw stop;
    }
    if (token.kind !== 'ident') this.#unexpected('IDENTIFIER');
    this.#next();
    if (optional) {
      const field: Expr = { kind: 'literal', value: token.text, offset: token.offset };
      return { kind: 'call', name: '_?._', args: [operand, field], offset: dot.offset };
    }
    if (this.#is('(')) return this.#call(token, operand);
    return { kind: 'select', operand, field: token.text, testOnly: false, offset: dot.offset };
  }

  #index(operand: Expr): Expr {
    const { offset } = this.#next();
    const name = this.#take('?') ? '_[?_]' : '_[_]';
    const index = this.#expression();
    this.#expect(']');
    return { kind: 'call', name, args: [operand, index], offset };
  }

  #call(name: Token, target?: Expr): Expr {
    const { offset } = this.#expect('(');
    const args: Expr[] = [];
    if (!this.#is(')')) {
      do args.push(this.#expression());
      while (this.#take(','));
    }
    this.#expect(')');
    const call = { kind: 'call' as const, name: name.text, target, args, offset };
    return expandMacro(call, (at, message) => this.#issue(at, message)) ?? call;
  }

  #primary(): Expr {
    const token = this.#token;
    if (token.kind === 'literal') {
      this.#next();
      const value = token.value === undefined ? readNumber(token, false, this.#issues) : token.value;
      return { kind: 'literal', value, offset: token.offset };
    }
    if (token.kind === 'keyword' && token.text !== 'in') {
      this.#next();
      return {
        kind: 'literal',
        value: token.text === 'null' ? null : token.text === 'true',
        offset: token.offset,
      };
    }
    if (this.#take('(')) {
      const expr = this.#expression();
      this.#expect(')');
      return expr;
    }
    if (this.#is('[')) return this.#list();
    if (this.#is('{')) return this.#map();
    const rooted = this.#take('.');
    if (this.#token.kind !== 'ident') this.#unexpected(rooted ? 'IDENTIFIER' : primary);
    const ident = this.#next();
    const name = rooted ? `.${ident.text}` : ident.text;
    if (this.#is('(')) return this.#call({ ...ident, text: name });
    if (isReserved(ident.text)) this.#issue(ident.offset, `reserved identifier: ${ident.text}`);
    return { kind: 'ident', name, offset: token.offset };
  }

  #list(): Expr {
    const { offset } = this.#next();
    const items: Expr[] = [];
    const optional = new Set<number>();
    while (!this.#is(']')) {
      if (this.#is(',') && this.#tokens[this.#at + 1]!.text === ']') {
        this.#next();
        break;
      }
      if (this.#take('?')) optional.add(items.length);
      items.push(this.#expression());
      if (!this.#take(',')) break;
    }
    this.#expect(']');
    return { kind: 'list', items, optional, offset };
  }

  #map(): Expr {
    const { offset } = this.#next();
    const entries: MapEntry[] = [];
    if (this.#token.kind === 'end') this.#unexpected(afterBrace);
    while (!this.#is('}')) {
      if (this.#is(',') && this.#tokens[this.#at + 1]!.text === '}') {
        this.#next();
        break;
      }
      const optional = this.#take('?');
      const key = this.#expression();
      this.#expect(':');
      entries.push({ key, value: this.#expression(), optional });
      if (!this.#take(',')) break;
    }
    this.#expect('}');
    return { kind: 'map', entries, offset };
  }

  #struct(name: Expr): Expr {
    const { offset } = this.#next();
    const fields: StructExpr['fields'] = [];
    while (!this.#is('}')) {
      const optional = this.#take('?');
      const field = this.#token;
      if (field.kind !== 'ident') this.#unexpected("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}");
      this.#next();
      const colon = this.#expect(':');
      fields.push({ name: field.text, value: this.#expression(), optional, offset: colon.offset });
      if (!this.#take(',')) break;
    }
    this.#expect('}');
    return { kind: 'struct', name: nameOf(name), fields, offset };
  }
}

// cel-go makes a chain of && or || a balanced tree.
function balance(name: string, terms: Expr[], offsets: number[], low: number, high: number): Expr {
  if (low === high) return terms[low]!;
  const middle = (low + high + 1) >> 1;
  const left = balance(name, terms, offsets, low, middle - 1);
  const right = balance(name, terms, offsets, middle, high);
  return { kind: 'call', name, args: [left, right], offset: offsets[middle - 1]! };
}

function isName(expr: Expr): boolean {
  return expr.kind === 'ident' || (expr.kind === 'select' && !expr.testOnly && isName(expr.operand));
}

function nameOf(expr: Expr): string {
  if (expr.kind === 'ident') return expr.name;
  return expr.kind === 'select' ? `${nameOf(expr.operand)}.${expr.field}` : '';
}
