import { StatusError } from '../base/errors.ts';

/** What a node needs in order to join: whom to trust, and a secret to show. */
export interface JoinToken {
  /** SHA-256 of the cluster authority's certificate (DER), as hex. */
  caHash: string;
  /** A bearer token of user `system:bootstrap:selvage`. */
  secret: string;
}

export function formatJoinToken({ caHash, secret }: JoinToken): string {
  return `${caHash}.${secret}`;
}

/** Invalid says what is wrong with the text, without repeating the secret. */
export function parseJoinToken(text: string): JoinToken {
  const [caHash = '', secret, ...rest] = text.trim().split('.');
  if (secret === undefined || rest.length > 0) {
    throw invalid(`it has ${rest.length + (secret === undefined ? 0 : 1)} dots instead of one`);
  }
  if (!/^[0-9a-f]{64}$/.test(caHash)) {
    throw invalid(
      `the part before the dot has ${caHash.length} characters; it is a hash of 64 hexadecimal digits`,
    );
  }
  if (!/^[A-Za-z0-9_-]{20,}$/.test(secret)) {
    throw invalid(
      `the part after the dot has ${secret.length} characters; it is a secret of at least 20 letters, digits, "-" or "_"`,
    );
  }
  return { caHash, secret };
}

function invalid(why: string): StatusError {
  return new StatusError(
    'Invalid',
    `This is not a join token: ${why}. Copy all of server/join-token in the server's data folder, "<hash>.<secret>".`,
  );
}
