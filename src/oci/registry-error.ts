/** The codes of distribution-spec v1.1, "Error Codes", and `UNKNOWN` for our own failures. */
export type RegistryCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNKNOWN';

/** A failure in the form that registry clients read. */
export class RegistryError extends Error {
  readonly status: number;
  readonly code: RegistryCode;
  headers: Record<string, string> = {};

  constructor(status: number, code: RegistryCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RegistryError';
    this.status = status;
    this.code = code;
  }
}

export function notAllowed(method: string | undefined, allowed: string[]): RegistryError {
  const error = new RegistryError(
    405,
    'UNSUPPORTED',
    `${method} is not possible here, only ${allowed.join(', ')}`,
  );
  error.headers = { Allow: allowed.join(', ') };
  return error;
}
