import type { StatusCause } from '../base/errors.ts';
import type { Path } from './path.ts';

/** Collects what is wrong with an object in Kubernetes' words (`field.Error`). */
export class Report {
  readonly causes: StatusCause[] = [];

  required(at: Path, detail = ''): void {
    this.#add(at, 'FieldValueRequired', 'Required value', detail);
  }

  invalid(at: Path, value: unknown, detail: string): void {
    this.#add(at, 'FieldValueInvalid', `Invalid value: ${show(value)}`, detail);
  }

  unsupported(at: Path, value: unknown, supported: readonly string[]): void {
    const values = [...supported].sort().map((text) => JSON.stringify(text));
    this.#add(
      at,
      'FieldValueNotSupported',
      `Unsupported value: ${show(value)}`,
      `supported values: ${values.join(', ')}`,
    );
  }

  duplicate(at: Path, value: unknown): void {
    this.#add(at, 'FieldValueDuplicate', `Duplicate value: ${show(value)}`);
  }

  forbidden(at: Path, detail: string): void {
    this.#add(at, 'FieldValueForbidden', 'Forbidden', detail);
  }

  notFound(at: Path, value: unknown): void {
    this.#add(at, 'FieldValueNotFound', `Not found: ${show(value)}`);
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
    this.#add(at, 'FieldValueTypeInvalid', `Invalid value: ${show(value)}`, detail);
  }

  #add(at: Path, reason: string, what: string, detail = ''): void {
    this.causes.push({ reason, message: detail === '' ? what : `${what}: ${detail}`, field: at.text });
  }
}

function show(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value);
}
