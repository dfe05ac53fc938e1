import { StatusError } from '../base/errors.ts';

/** A watch or a slow watcher needs history that was compacted; the client must list again. */
export function watchTooOld(revision: number, compacted: number): StatusError {
  return new StatusError('Expired', `too old resource version: ${revision} (${compacted})`);
}

/** A list of the past that was compacted. */
export function listTooOld(revision: number, compacted: number): StatusError {
  return new StatusError(
    'Expired',
    `The resourceVersion for the provided list is too old: ${revision}, the oldest kept is ${compacted}.`,
  );
}

/** The client knows a revision that this store never reached, e.g. of a data folder that was replaced. */
export function revisionTooLarge(revision: number, current: number): StatusError {
  return new StatusError('Timeout', `Too large resource version: ${revision}, current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}

export function alreadyExists(key: string): StatusError {
  return new StatusError('AlreadyExists', `"${key}" already exists`);
}

export function notFound(key: string): StatusError {
  return new StatusError('NotFound', `"${key}" not found`);
}

export function conflict(key: string): StatusError {
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on "${key}": the object has been modified; ` +
      'please apply your changes to the latest version and try again',
  );
}
