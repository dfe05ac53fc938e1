import { StatusError } from '../base/errors.ts';
import { labelValue, qualifiedName } from './names.ts';
import type { KubeObject } from './object.ts';
import type { LabelSelector } from './parts/meta.ts';

export interface Requirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  values: readonly string[];
}

/**
 * A test of an object's labels, from a query text (`app=web,tier in (a,b),!canary`) or a LabelSelector.
 * Text that cannot be parsed throws BadRequest. An absent LabelSelector matches nothing, an empty one everything.
 */
export function labelSelector(selector: string | LabelSelector | undefined): (object: KubeObject) => boolean {
  if (selector === undefined) return () => false;
  const requirements = requirementsOf(selector);
  return (object) => matchesLabels(requirements, object.metadata?.labels);
}

export function matchesLabels(
  requirements: readonly Requirement[],
  labels: Record<string, string> | undefined = {},
): boolean {
  return requirements.every((requirement) => holds(requirement, labels[requirement.key]));
}

export function requirementsOf(selector: string | LabelSelector): Requirement[] {
  if (typeof selector === 'string') return parseLabelSelector(selector);
  const equal = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] }),
  );
  return [
    ...equal,
    ...(selector.matchExpressions ?? []).map((each) => ({ ...each, values: each.values ?? [] })),
  ];
}

/** The query text of a LabelSelector, as a scale's `status.selector` has it. */
export function labelSelectorText(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '';
  const texts = requirementsOf(selector).map(({ key, operator, values }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`;
  });
  return texts.sort().join(',');
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isInteger(value) && Number(value) > Number(values[0]);
    case 'Lt':
      return isInteger(value) && Number(value) < Number(values[0]);
  }
}

const isInteger = (value: string | undefined) => value !== undefined && /^-?\d+$/.test(value);

/** Throws BadRequest in Kubernetes' words. */
export function parseLabelSelector(text: string): Requirement[] {
  const tokens = text.match(/==|!=|[=<>!(),]|[^\s=<>!(),]+/g) ?? [];
  const requirements: Requirement[] = [];
  let at = 0;
  while (at < tokens.length) {
    requirements.push(parseRequirement());
    if (at < tokens.length && tokens[at++] !== ',')
      fail(`found '${tokens[at - 1]}', expected: ',' or 'end of string'`);
    else if (tokens[at - 1] === ',' && at === tokens.length) fail("found '', expected: identifier after ','");
  }
  return requirements;

  function parseRequirement(): Requirement {
    if (tokens[at] === '!') {
      at++;
      return { key: key(), operator: 'DoesNotExist', values: [] };
    }
    const name = key();
    const operator = tokens[at];
    if (operator === undefined || operator === ',') return { key: name, operator: 'Exists', values: [] };
    at++;
    switch (operator) {
      case '=':
      case '==':
        return { key: name, operator: 'In', values: [value(name)] };
      case '!=':
        return { key: name, operator: 'NotIn', values: [value(name)] };
      case '>':
      case '<':
        return {
          key: name,
          operator: operator === '>' ? 'Gt' : 'Lt',
          values: [number(value(name), operator)],
        };
      case 'in':
      case 'notin':
        return { key: name, operator: operator === 'in' ? 'In' : 'NotIn', values: values(name) };
      default:
        return fail(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  function key(): string {
    const isFirst = at === 0;
    const found = tokens[at++] ?? '';
    if (/^[=<>!(),]/.test(found) || found === '') {
      const why = `found '${found}', expected: !, identifier, or 'end of string'`;
      // Kubernetes has not begun to read a requirement then.
      if (isFirst) throw new StatusError('BadRequest', why);
      fail(why);
    }
    const [wrong] = qualifiedName(found);
    // Kubernetes names no field here.
    if (wrong) fail(`<nil>: Invalid value: ${JSON.stringify(found)}: ${wrong}`);
    return found;
  }

  function value(name: string): string {
    const found = tokens[at];
    if (found === undefined || found === ',' || found === ')') return '';
    if (/^[=<>!(]/.test(found)) fail(`found '${found}', expected: identifier`);
    at++;
    const [wrong] = labelValue(found);
    if (wrong) fail(`values[0][${name}]: Invalid value: ${JSON.stringify(found)}: ${wrong}`);
    return found;
  }

  function values(name: string): string[] {
    if (tokens[at++] !== '(') fail(`found '${tokens[at - 1] ?? ''}' expected: '('`);
    const found: string[] = [];
    for (;;) {
      if (tokens[at] === undefined && found.length === 0) fail("found '', expected: ',', ')' or identifier");
      found.push(value(name));
      const next = tokens[at++];
      if (next === ')') return found;
      if (next !== ',') fail(`found '${next ?? ''}', expected: ',' or ')'`);
    }
  }

  function number(found: string, operator: string): string {
    if (!isInteger(found))
      fail(
        `values[0]: Invalid value: ${JSON.stringify(found)}: for '${operator}' the value must be an integer`,
      );
    return found;
  }

  function fail(why: string): never {
    throw new StatusError('BadRequest', `unable to parse requirement: ${why}`);
  }
}
