import { type JsonSchema, propertyOf, restOf } from '../json-schema.ts';

const unescaped: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  "'": "'",
  '\\': '\\',
};

/** The field that a simple JSON path such as `.spec['a b'].c` leads to by the schema; or why it leads nowhere. */
export function followFieldPath(
  root: JsonSchema,
  path: string,
  { allowsBrackets = true }: { allowsBrackets?: boolean } = {},
): { schema: JsonSchema; names: string[]; text: string } | string {
  let schema = root;
  const names: string[] = [];
  let text = '';
  let rest = path;
  while (rest !== '') {
    const step = readStep(rest, allowsBrackets);
    if (typeof step === 'string') return step;
    const { name, length } = step;
    const inner = schema.properties ? propertyOf(schema, name) : restOf(schema);
    if (!inner) return 'does not refer to a valid field';
    text += schema.properties ? `${text === '' ? '' : '.'}${name}` : `[${name}]`;
    schema = inner;
    names.push(name);
    rest = rest.slice(length);
  }
  return { schema, names, text };
}

function readStep(rest: string, allowsBrackets: boolean): { name: string; length: number } | string {
  if (rest[0] === '.') {
    const [name] = /^[^.[\]]*/.exec(rest.slice(1))!;
    return name === '' ? 'unexpected end of JSON path' : { name, length: name.length + 1 };
  }
  if (rest[0] !== '[') return `expected [ or . but got: ${/^[^.[\]]+|./.exec(rest)![0]}`;
  if (!allowsBrackets) return 'array notation is not allowed';
  const quoted = /^\[('(?:[^'\\]|\\.)*')(\])?/s.exec(rest);
  if (!quoted) return `expected single quoted string but got ${rest.slice(1).split(/[.\]]/)[0]}`;
  if (!quoted[2]) return 'unexpected end of JSON path';
  const wrong = [...quoted[1]!.matchAll(/\\(.)/gs)].find(([, letter]) => !(letter! in unescaped));
  if (wrong) return `invalid string literal: invalid escape char ${wrong[0]}`;
  const name = quoted[1]!.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => unescaped[letter]!);
  return { name, length: quoted[0].length };
}
