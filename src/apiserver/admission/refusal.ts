import type { StatusCause, StatusError } from '../../base/errors.ts';
import { forbidden } from '../failures.ts';
import type { AdmissionRequest } from './chain.ts';

/** `pods "web" is forbidden: …`: how admission refuses a write. */
export function refused(request: AdmissionRequest, why: string, causes?: StatusCause[]): StatusError {
  return forbidden(request.resource.kind, nameOf(request), why, causes);
}

/** A new object may have no name yet, only the beginning of one. */
function nameOf({ name, object }: AdmissionRequest): string {
  return name || object?.metadata?.name || object?.metadata?.generateName || 'Unknown';
}

/** Several reasons in one text, as Go's aggregated errors read. */
export function aggregated(reasons: readonly string[]): string {
  const distinct = [...new Set(reasons)];
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`;
}
