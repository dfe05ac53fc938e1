import { StatusError } from '../../base/errors.ts';
import { badRequest } from '../failures.ts';

/** A resourceVersion that a client sent, as the store's revision. */
export function readRevision(resourceVersion: string): number {
  if (/^\d{1,15}$/.test(resourceVersion)) return Number(resourceVersion);
  const text = JSON.stringify(resourceVersion);
  throw badRequest(
    `resourceVersion: Invalid value: ${text}: strconv.ParseUint: parsing ${text}: invalid syntax`,
  );
}

/** The client has seen a revision that this server has not reached. */
export function tooLarge(revision: number, current: number): StatusError {
  return new StatusError('Timeout', `Timeout: Too large resource version: ${revision}, current: ${current}`, {
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}
