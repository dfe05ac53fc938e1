import type { StatusCause } from '../../base/errors.ts';
import type { Correlated } from './correlate.ts';

/** Where the validation of a value stands. */
export interface Spot {
  /** From the value that is validated: `spec.ports[0]`; `''` for itself. */
  name: string;
  /** Where that value stands in the object. */
  at: string;
  correlated: Correlated | undefined;
}

/** What the validation of one value found, and how much of it was right. */
export class Finding {
  readonly causes: StatusCause[] = [];
  matches = 0;
  readonly #spot: Spot;

  constructor(spot: Spot) {
    this.#spot = spot;
  }

  get isValid(): boolean {
    return this.causes.length === 0;
  }

  /** Runs one check, and counts it where it finds nothing. */
  count(check: () => void): void {
    const before = this.causes.length;
    check();
    if (this.causes.length === before) this.matches++;
  }

  merge(other: Finding): void {
    this.causes.push(...other.causes);
    this.matches += other.matches;
  }

  wrong(value: unknown, why: string): void {
    this.#add('FieldValueInvalid', `Invalid value: ${show(value)}: ${this.#spot.name} in body ${why}`);
  }

  wrongType(expected: string, actual: string): void {
    const text = `${this.#spot.name} in body must be of type ${expected}: ${JSON.stringify(actual)}`;
    this.#add('FieldValueTypeInvalid', `Invalid value: ${JSON.stringify(actual)}: ${text}`);
  }

  unsupported(value: unknown, allowed: readonly unknown[]): void {
    const texts = allowed.map((one) => JSON.stringify(typeof one === 'string' ? one : JSON.stringify(one)));
    const shown = value === null || value === undefined ? '"null"' : show(value);
    this.#add('FieldValueNotSupported', `Unsupported value: ${shown}: supported values: ${texts.join(', ')}`);
  }

  tooLong(max: number): void {
    this.#add('FieldValueTooLong', `Too long: may not be more than ${max} bytes`);
  }

  tooMany(actual: number, max: number): void {
    this.#add('FieldValueTooMany', `Too many: ${actual}: must have at most ${max} items`);
  }

  missing(name: string): void {
    this.#add('FieldValueRequired', 'Required value', `${this.#spot.name}.${name}`);
  }

  forbiddenMember(name: string): void {
    const text = `${this.#spot.name}.${name} in body is a forbidden property`;
    this.#add('FieldValueInvalid', `Invalid value: ${JSON.stringify(name)}: ${text}`);
  }

  /** What Kubernetes tells without a field. */
  general(text: string): void {
    const field = this.#spot.at === '' ? '<nil>' : this.#spot.at;
    this.causes.push({ reason: 'FieldValueInvalid', message: `Invalid value: "": ${text}`, field });
  }

  #add(reason: string, message: string, name = this.#spot.name): void {
    const { at } = this.#spot;
    const relative = name.replace(/^\./, '');
    const field = relative === '' ? at || '<nil>' : at === '' ? relative : `${at}.${relative}`;
    this.causes.push({ reason, message, field });
  }
}

function show(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value);
}
