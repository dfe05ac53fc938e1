import { isEqualJson } from '../equal.ts';
import { isObject } from './json-schema.ts';

/** One step of a path: from a value to the values that it leads to. */
type Step = (value: unknown) => unknown[];

/**
 * The values that a JSONPath in kubectl's dialect leads to: `.a.b`, `['a.b']`, `[0]`, `[*]`, `..a`,
 * `[?(@.type=="Ready")]`. Throws SyntaxError for what it does not know.
 * Source: https://kubernetes.io/docs/reference/kubectl/jsonpath/
 */
export function compileJsonPath(path: string): (object: unknown) => unknown[] {
  const steps = parse(path.replace(/^\{|\}$/g, ''));
  return (object) => steps.reduce<unknown[]>((values, step) => values.flatMap(step), [object]);
}

function parse(path: string): Step[] {
  const steps: Step[] = [];
  let rest = path;
  while (rest !== '') {
    const token = tokens.find(({ pattern }) => pattern.test(rest));
    if (!token)
      throw new SyntaxError(`cannot read ${JSON.stringify(rest)} in the JSON path ${JSON.stringify(path)}`);
    const match = token.pattern.exec(rest)!;
    const step = token.step(match);
    if (step) steps.push(step);
    rest = rest.slice(match[0].length);
  }
  return steps;
}

const tokens: { pattern: RegExp; step(match: RegExpExecArray): Step | undefined }[] = [
  { pattern: /^\.\.((?:[^.[\]\\]|\\.)+)/s, step: ([, name]) => deep(unescaped(name!)) },
  { pattern: /^(?:\.\*|\[\*\])/, step: () => membersOf },
  { pattern: /^\.?((?:[^.[\]\\]|\\.)+)/s, step: ([, name]) => member(unescaped(name!)) },
  { pattern: /^\[(-?\d+)\]/, step: ([, index]) => item(Number(index)) },
  { pattern: /^\[(-?\d*):(-?\d*)\]/, step: ([, from, to]) => slice(from!, to!) },
  {
    pattern: /^\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/s,
    step: ([, a, b]) => member(unescaped(a ?? b!)),
  },
  { pattern: /^\[\?\(((?:[^()]|\([^()]*\))*)\)\]/, step: ([, text]) => filter(text!.trim()) },
  { pattern: /^\./, step: () => undefined },
];

const unescaped = (name: string) => name.replace(/\\(.)/gs, '$1');

function member(name: string): Step {
  return (value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []);
}

function item(index: number): Step {
  return (value) => {
    if (!Array.isArray(value)) return [];
    const at = index < 0 ? value.length + index : index;
    return at in value ? [value[at]] : [];
  };
}

function slice(from: string, to: string): Step {
  return (value) =>
    Array.isArray(value) ? value.slice(Number(from || 0), to === '' ? undefined : Number(to)) : [];
}

function membersOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
}

function deep(name: string): Step {
  const own = member(name);
  const visit: Step = (value) => [...own(value), ...membersOf(value).flatMap(visit)];
  return visit;
}

function filter(text: string): Step {
  const match = /^@(.*?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/s.exec(text);
  if (!match) {
    const lead = compileJsonPath(text.replace(/^@/, ''));
    return (value) => membersOf(value).filter((each) => lead(each).length > 0);
  }
  const lead = compileJsonPath(match[1]!.trim());
  const right = literal(match[3]!.trim());
  const holds = (left: unknown) => compare(left, match[2]!, right);
  return (value) => membersOf(value).filter((each) => lead(each).some(holds));
}

function literal(text: string): unknown {
  const quoted = /^(["'])(.*)\1$/s.exec(text);
  if (quoted) return unescaped(quoted[2]!);
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError(`cannot read ${JSON.stringify(text)} in a filter of a JSON path`);
  }
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (operator === '==') return isEqualJson(left, right);
  if (operator === '!=') return !isEqualJson(left, right);
  if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string')) return false;
  const [a, b] = [left, right as typeof left];
  if (operator === '<') return a < b;
  if (operator === '>') return a > b;
  return operator === '<=' ? a <= b : a >= b;
}
