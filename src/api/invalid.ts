import { type StatusCause, StatusError } from '../base/errors.ts';

/** The 422 answer to an object with something wrong, in Kubernetes' words. */
export function invalid(
  kind: { group: string; kind: string },
  name: string | undefined,
  causes: readonly StatusCause[],
): StatusError {
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const texts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new StatusError('Invalid', `${qualified} ${JSON.stringify(name ?? '')} is invalid: ${list}`, {
    details: { ...(name && { name }), group: kind.group, kind: kind.kind, causes: [...causes] },
  });
}
