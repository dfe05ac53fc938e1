import type { CelIssue } from './source.ts';
import { Uint, type Value } from './values.ts';

export interface Token {
  readonly kind: 'literal' | 'ident' | 'quoted' | 'keyword' | 'symbol' | 'end';
  readonly text: string;
  readonly offset: number;
  readonly value?: Value;
}

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;
const uint64Max = 2n ** 64n - 1n;

const space = /[\t\n\f\r ]+|\/\/[^\n]*/y;
const number =
  /0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?/y;
const escapeSequence =
  '\\\\(?:[abfnrtv"\'\\\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})';
const text = new RegExp(
  `[bB]?(?:[rR](?:"""[\\s\\S]*?"""|'''[\\s\\S]*?'''|"[^"\\n\\r]*"|'[^'\\n\\r]*')` +
    `|"""(?:${escapeSequence}|[^\\\\])*?"""|'''(?:${escapeSequence}|[^\\\\])*?'''` +
    `|"(?:${escapeSequence}|[^\\\\"\\n\\r])*"|'(?:${escapeSequence}|[^\\\\'\\n\\r])*')`,
  'y',
);
const rawText = /(?:[rR][bB]?|[bB][rR])(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"\n\r]*"|'[^'\n\r]*')/y;
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const quotedIdentifier = /`[A-Za-z0-9_.\-/ ]+`/y;
const symbol = /==|!=|<=|>=|&&|\|\||[[\]{}(),.\-?:+*/%<>!]/y;
const keywords = new Set(['true', 'false', 'null', 'in']);

/** The tokens of an expression, the last of kind `end`. What is no token is added to `issues` and left out. */
export function tokenize(source: string, issues: CelIssue[]): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = offset;
    return pattern.exec(source)?.[0];
  };
  while (offset < source.length) {
    const skipped = match(space);
    if (skipped !== undefined) {
      offset += skipped.length;
      continue;
    }
    const token = nextToken(match, offset, issues) ?? unknown(source, offset, issues);
    if ('kind' in token) tokens.push(token);
    offset += token.text.length;
  }
  tokens.push({ kind: 'end', text: '<EOF>', offset: source.length });
  return tokens;
}

function nextToken(
  match: (pattern: RegExp) => string | undefined,
  offset: number,
  issues: CelIssue[],
): Token | undefined {
  const quoted = match(rawText) ?? match(text);
  if (quoted !== undefined)
    return { kind: 'literal', text: quoted, offset, value: readText(quoted, offset, issues) };
  const digits = match(number);
  if (digits !== undefined) return { kind: 'literal', text: digits, offset };
  const name = match(identifier);
  if (name !== undefined) return { kind: keywords.has(name) ? 'keyword' : 'ident', text: name, offset };
  const escaped = match(quotedIdentifier);
  if (escaped !== undefined) return { kind: 'quoted', text: escaped, offset };
  const sign = match(symbol);
  return sign === undefined ? undefined : { kind: 'symbol', text: sign, offset };
}

// ANTLR's recogniser takes along what could have become a token.
function unknown(source: string, offset: number, issues: CelIssue[]): { text: string } {
  const rest = source.slice(offset);
  const quote = /^[bBrR]*(["'])(?:\\.|(?!\1)[^\n\r])*/.exec(rest)?.[0];
  const text =
    quote ??
    (/^[|&=][\s\S]?/u.test(rest)
      ? [...rest].slice(0, 2).join('')
      : String.fromCodePoint(rest.codePointAt(0)!));
  issues.push({ offset, message: `Syntax error: token recognition error at: '${text}'` });
  return { text };
}

/** The value of a number's text; `negative` where a minus stands before it. */
export function readNumber(token: Token, negative: boolean, issues: CelIssue[]): Value {
  const sign = negative ? '-' : '';
  const plain = token.text;
  if (/[uU]$/.test(plain)) {
    const value = BigInt(plain.slice(0, -1));
    if (value > uint64Max || negative) issues.push({ offset: token.offset, message: 'invalid uint literal' });
    return new Uint(value);
  }
  if (/^0[xX]|^\d+$/.test(plain)) {
    const value = negative ? -BigInt(plain) : BigInt(plain);
    if (value < int64Min || value > int64Max) {
      issues.push({ offset: token.offset, message: 'invalid int literal' });
    }
    return value;
  }
  const value = Number(sign + plain);
  if (!Number.isFinite(value)) issues.push({ offset: token.offset, message: 'invalid double literal' });
  return value;
}

const simpleEscapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function readText(token: string, offset: number, issues: CelIssue[]): Value {
  const prefix = /^[bBrR]*/.exec(token)![0].toLowerCase();
  const isRaw = prefix.includes('r');
  const isBytes = prefix.includes('b');
  const quoted = token.slice(prefix.length);
  const width = quoted.startsWith('"""') || quoted.startsWith("'''") ? 3 : 1;
  const body = quoted.slice(width, -width).replaceAll('\r\n', '\n').replaceAll('\r', '\n');
  if (isBytes) return unescapeBytes(body, isRaw);
  if (isRaw) return body;
  return body.replace(new RegExp(escapeSequence, 'g'), (match) => {
    const code = codeOf(match);
    if (code === undefined) return simpleEscapes[match[1]!] ?? match[1]!;
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      issues.push({ offset, message: 'invalid unicode code point' });
      return '';
    }
    return String.fromCodePoint(code);
  });
}

// In bytes an octal or hexadecimal escape is one byte, the rest is UTF-8.
function unescapeBytes(body: string, isRaw: boolean): Uint8Array {
  if (isRaw) return Buffer.from(body, 'utf8');
  const parts: Buffer[] = [];
  let at = 0;
  for (const match of body.matchAll(new RegExp(escapeSequence, 'g'))) {
    parts.push(Buffer.from(body.slice(at, match.index), 'utf8'));
    const code = codeOf(match[0]);
    if (code === undefined) parts.push(Buffer.from(simpleEscapes[match[0][1]!] ?? match[0][1]!));
    else if (/[uU]/.test(match[0][1]!)) parts.push(Buffer.from(String.fromCodePoint(code), 'utf8'));
    else parts.push(Buffer.from([code]));
    at = match.index + match[0].length;
  }
  parts.push(Buffer.from(body.slice(at), 'utf8'));
  return Buffer.concat(parts);
}

function codeOf(match: string): number | undefined {
  if (/[xXuU]/.test(match[1]!)) return Number.parseInt(match.slice(2), 16);
  return /[0-3]/.test(match[1]!) ? Number.parseInt(match.slice(1), 8) : undefined;
}
