import { isEqualSemantically } from './equal.ts';
import type { UpdateCheck } from './schema.ts';

/** The field keeps the value that it was created with. */
export const immutable: UpdateCheck<unknown> = (next, previous, at, report) => {
  if (!isEqualSemantically(next, previous)) report.invalid(at, next, 'field is immutable');
};
