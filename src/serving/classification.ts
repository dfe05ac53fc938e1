import { StatusError } from '../base/errors.ts';
import type { Tensor } from './datatype.ts';
import { shown } from './nested.ts';

/** Longer rows are no classes. */
export const classesMax = 65_536;

/** Reads the `classification` parameter of an output. Throws BadRequest. */
export function readClassCount(value: unknown, where: string): number | undefined {
  // tritonclient writes 0 for none.
  if (value === undefined || value === 0) return undefined;
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw new StatusError(
    'BadRequest',
    `${where}.parameters.classification: must be how many classes are wanted, got ${shown(value)}`,
  );
}

/**
 * The highest values of each row as text, `VALUE:INDEX` or `VALUE:INDEX:LABEL`, highest first.
 * Source: https://github.com/triton-inference-server/server, docs/protocol/extension_classification.md.
 */
export function classify(name: string, tensor: Tensor, count: number, labels: string[] | undefined): Tensor {
  const { datatype, shape, data } = tensor;
  if (Array.isArray(data) || datatype === 'BOOL')
    throw new StatusError('BadRequest', `output "${name}" is ${datatype}: only numbers can be classified`);
  // With one axis there is no batch.
  const rows = shape.length > 1 ? shape[0]! : 1;
  const size = rows === 0 ? 0 : data.length / rows;
  if (size > classesMax)
    throw new StatusError(
      'BadRequest',
      `output "${name}" has ${size} values a row: up to ${classesMax} can be classified`,
    );
  const kept = Math.min(count, size);
  const texts: string[] = [];
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * size, (row + 1) * size);
    const order = Array.from({ length: size }, (_, index) => index);
    order.sort((a, b) => compare(values[b]!, values[a]!) || a - b);
    for (const index of order.slice(0, kept)) texts.push(textOf(values[index]!, index, labels));
  }
  return { datatype: 'BYTES', shape: shape.length > 1 ? [rows, kept] : [kept], data: texts };
}

/** NaN is below all. */
function compare(left: number | bigint, right: number | bigint): number {
  if (Number.isNaN(left) || Number.isNaN(right))
    return Number(Number.isNaN(right)) - Number(Number.isNaN(left));
  return left < right ? -1 : Number(left > right);
}

/** Numbers as C++ writes them, six digits behind the point, for that is what Triton's clients read. */
function textOf(value: number | bigint, index: number, labels: string[] | undefined): string {
  const number = typeof value === 'bigint' ? String(value) : numberOf(value);
  const label = labels?.[index];
  return label === undefined ? `${number}:${index}` : `${number}:${index}:${label}`;
}

function numberOf(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return value.toFixed(6);
}
