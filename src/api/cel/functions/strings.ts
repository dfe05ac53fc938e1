import { pattern } from '../regex.ts';
import { CelError } from '../source.ts';
import { boolType, type CelType, dynType, intType, listOf, stringType } from '../types.ts';
import { type CelList, PlainList, type Value } from '../values.ts';
import { formatText } from './format-text.ts';
import { globalFunction as fn, library, memberFunction as member } from './overload.ts';

const text = stringType;
const texts = listOf(stringType);

const at = (value: bigint, length: number, what = 'index'): number => {
  if (value < 0n || value > BigInt(length)) throw new CelError(`${what} out of range: ${value}`);
  return Number(value);
};

const lower = (s: string) => s.replace(/[A-Z]+/g, (match) => match.toLowerCase());
const upper = (s: string) => s.replace(/[a-z]+/g, (match) => match.toUpperCase());
// White space of Unicode, which is not quite JavaScript's.
const space =
  '[\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const ends = new RegExp(`^${space}|${space}$`, 'g');

/** CEL's own string functions, and version 2 of cel-go's extension, which Kubernetes 1.32 has. */
export const stringLibrary = library(
  member('contains', 'contains_string', [text, text], boolType, (s: string, part: string) =>
    s.includes(part),
  ),
  member('startsWith', 'starts_with_string', [text, text], boolType, (s: string, part: string) =>
    s.startsWith(part),
  ),
  member('endsWith', 'ends_with_string', [text, text], boolType, (s: string, part: string) =>
    s.endsWith(part),
  ),
  member('matches', 'matches_string', [text, text], boolType, (s: string, re: string) => pattern(re).test(s)),
  fn('matches', 'matches', [text, text], boolType, (s: string, re: string) => pattern(re).test(s)),
  member('charAt', 'string_char_at_int', [text, intType], text, (s: string, index: bigint) => {
    const runes = [...s];
    return runes[at(index, runes.length)] ?? '';
  }),
  member('indexOf', 'string_index_of_string', [text, text], intType, (s: string, part: string) =>
    indexOf(s, part, 0n),
  ),
  member('indexOf', 'string_index_of_string_int', [text, text, intType], intType, indexOf),
  member('lastIndexOf', 'string_last_index_of_string', [text, text], intType, lastIndexOf),
  member('lastIndexOf', 'string_last_index_of_string_int', [text, text, intType], intType, lastIndexOf),
  member('lowerAscii', 'string_lower_ascii', [text], text, lower),
  member('upperAscii', 'string_upper_ascii', [text], text, upper),
  member(
    'replace',
    'string_replace_string_string',
    [text, text, text],
    text,
    (s: string, from: string, to: string) => replace(s, from, to, -1n),
  ),
  member('replace', 'string_replace_string_string_int', [text, text, text, intType], text, replace),
  member('split', 'string_split_string', [text, text], texts, (s: string, by: string) => split(s, by, -1n)),
  member('split', 'string_split_string_int', [text, text, intType], texts, split),
  member('substring', 'string_substring_int', [text, intType], text, (s: string, from: bigint) => {
    const runes = [...s];
    return runes.slice(at(from, runes.length)).join('');
  }),
  member(
    'substring',
    'string_substring_int_int',
    [text, intType, intType],
    text,
    (s: string, from: bigint, to: bigint) => {
      const runes = [...s];
      const [start, end] = [at(from, runes.length), at(to, runes.length)];
      if (start > end) throw new CelError(`invalid substring range. start: ${from}, end: ${to}`);
      return runes.slice(start, end).join('');
    },
  ),
  member('trim', 'string_trim', [text], text, (s: string) => s.replace(ends, '')),
  member('join', 'list_join', [texts], text, (list: CelList) => join(list, '')),
  member('join', 'list_join_string', [texts, text], text, join),
  member('format', 'string_format', [text, listOf(dynType)] as CelType[], text, (s: string, list: CelList) =>
    formatText(s, list.items),
  ),
  fn('strings.quote', 'strings_quote', [text], text, quote),
);

/** Kubernetes' regular expression library. */
export const regexLibrary = library(
  member(
    'find',
    'string_find_string',
    [text, text],
    text,
    (s: string, re: string) => pattern(re).findAll(s, 1)[0] ?? '',
  ),
  member(
    'findAll',
    'string_find_all_string',
    [text, text],
    texts,
    (s: string, re: string) => new PlainList(pattern(re).findAll(s, Number.POSITIVE_INFINITY)),
  ),
  member(
    'findAll',
    'string_find_all_string_int',
    [text, text, intType],
    texts,
    (s: string, re: string, limit: bigint) =>
      new PlainList(pattern(re).findAll(s, limit < 0n ? Number.POSITIVE_INFINITY : Number(limit))),
  ),
);

function indexOf(s: string, part: string, from: bigint): bigint {
  const runes = [...s];
  if (part === '') return BigInt(at(from, runes.length));
  const start = at(from, runes.length);
  const prefix = runes.slice(0, start).join('').length;
  const found = s.indexOf(part, prefix);
  return found < 0 ? -1n : BigInt([...s.slice(0, found)].length);
}

function lastIndexOf(s: string, part: string, from?: bigint): bigint {
  const runes = [...s];
  const last = from === undefined ? runes.length : at(from, runes.length);
  if (part === '') return BigInt(last);
  const found = s.lastIndexOf(part, runes.slice(0, last).join('').length);
  return found < 0 ? -1n : BigInt([...s.slice(0, found)].length);
}

function replace(s: string, from: string, to: string, limit: bigint): string {
  if (limit === 0n) return s;
  if (from === '') return replaceBetween([...s], to, limit);
  const parts = s.split(from);
  const count = limit < 0n ? parts.length - 1 : Math.min(Number(limit), parts.length - 1);
  return [parts.slice(0, count + 1).join(to), ...parts.slice(count + 1)].join(from);
}

// An empty text is found before each character and at the end.
function replaceBetween(runes: string[], to: string, limit: bigint): string {
  const count = limit < 0n ? runes.length + 1 : Number(limit);
  const replaced = runes.map((rune, index) => (index < count ? to + rune : rune)).join('');
  return count > runes.length ? replaced + to : replaced;
}

function split(s: string, by: string, limit: bigint): Value {
  if (limit === 0n) return new PlainList([]);
  const parts = by === '' ? [...s] : s.split(by);
  if (limit < 0n || parts.length <= limit) return new PlainList(parts);
  const head = parts.slice(0, Number(limit) - 1);
  return new PlainList([...head, parts.slice(Number(limit) - 1).join(by)]);
}

function join(list: CelList, by: string): string {
  for (const item of list.items) if (typeof item !== 'string') throw new CelError('no such overload');
  return list.items.join(by);
}

const quoted: Record<string, string> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

function quote(s: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be escaped.
  return `"${s.toWellFormed().replace(/[\x07\b\f\n\r\t\v\\"]/g, (match) => quoted[match]!)}"`;
}
