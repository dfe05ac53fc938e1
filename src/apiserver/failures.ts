import type { StatusCause } from '../base/errors.ts';
import { StatusError } from '../base/errors.ts';

/** What the texts need to know of a kind. */
export interface Named {
  group: string;
  plural: string;
  kind: string;
}

/** `pods` or `deployments.apps`. */
export function groupResource(kind: { group: string; plural: string }): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

function details(kind: Named, name: string) {
  return { name, ...(kind.group !== '' && { group: kind.group }), kind: kind.plural };
}

export function notFound(kind: Named, name: string): StatusError {
  return new StatusError('NotFound', `${groupResource(kind)} "${name}" not found`, {
    details: details(kind, name),
  });
}

export function alreadyExists(kind: Named, name: string): StatusError {
  return new StatusError('AlreadyExists', `${groupResource(kind)} "${name}" already exists`, {
    details: details(kind, name),
  });
}

export const modifiedText =
  'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(kind: Named, name: string, why: string = modifiedText): StatusError {
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on ${groupResource(kind)} "${name}": ${why}`,
    {
      details: details(kind, name),
    },
  );
}

export function forbidden(kind: Named, name: string, why: string, causes?: StatusCause[]): StatusError {
  return new StatusError('Forbidden', `${groupResource(kind)} "${name}" is forbidden: ${why}`, {
    details: { ...details(kind, name), ...(causes && { causes }) },
  });
}

export function badRequest(message: string, cause?: unknown): StatusError {
  return new StatusError('BadRequest', message, { cause });
}

/** Kubernetes' answer to a patch of a type that it does not know. */
export function unsupportedMediaType(): StatusError {
  return new StatusError('UnsupportedMediaType', '415: Unsupported Media Type', { details: {} });
}

/** Kubernetes' answer to a method that a path does not take. */
export function methodNotAllowed(): StatusError {
  return new StatusError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    { details: {} },
  );
}

/** Kubernetes' answer to a path that leads nowhere. */
export function noSuchPath(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource', { details: {} });
}
