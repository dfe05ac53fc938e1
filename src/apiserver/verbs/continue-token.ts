import { isStatus, StatusError } from '../../base/errors.ts';
import { badRequest } from '../failures.ts';

/** Where a list goes on: behind the key `start`, at revision `rv`, or at the newest one where that is -1. */
export interface Token {
  rv: number;
  start: string;
}

/** The key is told without its prefix, which a client could otherwise change. */
export function encodeToken({ rv, start }: Token, prefix: string): string {
  const token = { v: 'meta.k8s.io/v1', rv, start: start.slice(prefix.length) };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** Throws BadRequest, in Kubernetes' words, for what `encodeToken` has not made. */
export function decodeToken(text: string, prefix: string): Token {
  let token: { v?: unknown; rv?: unknown; start?: unknown } | null;
  try {
    token = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch (error) {
    const wrongAt = /[^\w-]/.exec(text)?.index ?? (text.length % 4 === 1 ? text.length - 1 : undefined);
    const why = wrongAt === undefined ? '' : `: illegal base64 data at input byte ${wrongAt}`;
    throw badRequest(`invalid continue token: continue key is not valid${why}`, error);
  }
  const { v, rv, start } = token ?? {};
  if (v !== 'meta.k8s.io/v1') {
    throw badRequest(
      `invalid continue token: continue key is not valid: server does not recognize this encoded version ${v ?? ''}`,
    );
  }
  if (!Number.isSafeInteger(rv) || rv === 0) {
    throw badRequest(
      'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
    );
  }
  if (typeof start !== 'string' || start === '') {
    throw badRequest(
      'invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)',
    );
  }
  const isClean = start.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isClean) throw badRequest(`invalid continue token: continue key is not valid: ${start}`);
  // Whole, by the check above.
  return { rv: rv as number, start: prefix + start };
}

/** What a client is told when the revision that it asks for is gone; one that was paging gets a token to go on with. */
export function expired(error: unknown, { after, prefix }: { after?: string; prefix: string }): unknown {
  if (!isStatus(error, 'Expired')) return error;
  if (after === undefined) {
    const text = 'The resourceVersion for the provided list is too old.';
    return new StatusError('Expired', text, { cause: error });
  }
  return new StatusError('Expired', inconsistent, {
    cause: error,
    continueToken: encodeToken({ rv: -1, start: after }, prefix),
  });
}

const inconsistent =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
  'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
  'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
  'deleted between the time the first chunk was returned and now may show up in the list.';
