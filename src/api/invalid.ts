import { type StatusCause, StatusError } from '../base/errors.ts';

type Named = { group: string; kind: string };

/** The 422 answer to an object with something wrong, in Kubernetes' words. */
export function invalid(
  { storedAs, ...served }: { group: string; kind: string; storedAs?: { kind: Named } },
  name: string | undefined,
  causes: readonly StatusCause[],
): StatusError {
  const kind = storedAs?.kind ?? served;
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const texts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new StatusError('Invalid', `${qualified} ${JSON.stringify(name ?? '')} is invalid: ${list}`, {
    details: {
      ...(name && { name }),
      ...(kind.group !== '' && { group: kind.group }),
      ...(kind.kind !== '' && { kind: kind.kind }),
      causes: [...causes],
    },
  });
}
