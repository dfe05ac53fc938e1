import type { StatusCause } from '../base/errors.ts';
import type { Path } from './path.ts';

/** Collects what is wrong with an object in Kubernetes' words (`field.Error`). */
export class Report {
  readonly causes: StatusCause[] = [];

  required(at: Path, detail = ''): void {
    this.#add(at, 'FieldValueRequired', 'Required value', detail);
  }

  invalid(at: Path, value: unknown, detail: string): void {
    this.#add(at, 'FieldValueInvalid', `Invalid value: ${goValue(value)}`, detail);
  }

  /** The supported values are told by name, unless `inOrder` says as they come. */
  unsupported(at: Path, value: unknown, supported: readonly string[], inOrder = false): void {
    const values = (inOrder ? supported : [...supported].sort()).map((text) => JSON.stringify(text));
    this.#add(
      at,
      'FieldValueNotSupported',
      `Unsupported value: ${goValue(value)}`,
      `supported values: ${values.join(', ')}`,
    );
  }

  duplicate(at: Path, value: unknown, detail = ''): void {
    this.#add(at, 'FieldValueDuplicate', `Duplicate value: ${goValue(value)}`, detail);
  }

  forbidden(at: Path, detail: string): void {
    this.#add(at, 'FieldValueForbidden', 'Forbidden', detail);
  }

  notFound(at: Path, value: unknown): void {
    this.#add(at, 'FieldValueNotFound', `Not found: ${goValue(value)}`);
  }

  tooLong(at: Path, bytesMax: number): void {
    this.#add(at, 'FieldValueTooLong', 'Too long', `may not be more than ${bytesMax} bytes`);
  }

  tooMany(at: Path, actual: number, max: number): void {
    this.#add(
      at,
      'FieldValueTooMany',
      `Too many: ${actual}`,
      `must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
    );
  }

  typeInvalid(at: Path, value: unknown, detail: string): void {
    this.#add(at, 'FieldValueTypeInvalid', `Invalid value: ${goValue(value)}`, detail);
  }

  #add(at: Path, reason: string, what: string, detail = ''): void {
    this.causes.push({ reason, message: detail === '' ? what : `${what}: ${detail}`, field: at.text });
  }
}

/** What stands for a value in a text, where Go prints a type of its own. */
export class GoText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** As Go prints values of these types: the text of an error is part of what clients are used to. */
export function goValue(value: unknown): string {
  if (value instanceof GoText) return value.text;
  if (value === undefined || value === null) return '"null"';
  if (typeof value === 'string') return goQuoted(value);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
    return `[]string{${value.map(goQuoted).join(', ')}}`;
  if (isTextMap(value)) return goTextMap(value);
  return isLabelSelector(value) ? goLabelSelector(value) : JSON.stringify(value);
}

function goTextMap(map: Record<string, string>): string {
  const entries = Object.keys(map)
    .sort()
    .map((key) => `${goQuoted(key)}:${goQuoted(map[key]!)}`);
  return `map[string]string{${entries.join(', ')}}`;
}

interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

function isLabelSelector(value: unknown): value is LabelSelector {
  const names = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  return names.length > 0 && names.every((name) => name === 'matchLabels' || name === 'matchExpressions');
}

function goLabelSelector({ matchLabels, matchExpressions }: LabelSelector): string {
  const requirement = 'v1.LabelSelectorRequirement';
  const expressions = matchExpressions?.map(({ key, operator, values }) => {
    const all = values ? goValue(values) : '[]string(nil)';
    return `${requirement}{Key:${goQuoted(key)}, Operator:${goQuoted(operator)}, Values:${all}}`;
  });
  const labels = matchLabels ? goTextMap(matchLabels) : 'map[string]string(nil)';
  const list = expressions ? `[]${requirement}{${expressions.join(', ')}}` : `[]${requirement}(nil)`;
  return `v1.LabelSelector{MatchLabels:${labels}, MatchExpressions:${list}}`;
}

function isTextMap(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const values = Object.values(value);
  return values.length > 0 && values.every((item) => typeof item === 'string');
}

/** A text as Go's `%q` prints it, which differs from JSON in the control characters. */
export function goQuoted(text: string): string {
  return JSON.stringify(text)
    .replace(/\\u00([01][0-9a-f])/g, (_whole, hex: string) => goEscapes[hex] ?? `\\x${hex}`)
    .replaceAll('\x7f', '\\x7f');
}
const goEscapes: Record<string, string> = { '07': '\\a', '0b': '\\v' };
