import { isStatus, messageOf, type StatusReason } from '../../base/errors.ts';

/** Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html. */
export const codes = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  unimplemented: 12,
  internal: 13,
} as const;

const codesOfReasons: Partial<Record<StatusReason, number>> = {
  BadRequest: 3,
  Invalid: 3,
  Timeout: 4,
  NotFound: 5,
  AlreadyExists: 6,
  Forbidden: 7,
  RequestEntityTooLarge: 8,
  TooManyRequests: 8,
  MethodNotAllowed: 12,
  UnsupportedMediaType: 12,
  ServiceUnavailable: 14,
  Unauthorized: 16,
};

export class GrpcError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A failure as trailers; one that nobody expected is logged too. */
export function trailersOf(error: unknown): Record<string, string> {
  const isExpected = isStatus(error) || error instanceof GrpcError;
  if (!isExpected) console.error(error);
  const reason = isStatus(error) ? codesOfReasons[error.reason] : undefined;
  const status = error instanceof GrpcError ? error.status : (reason ?? codes.internal);
  const retryAfter = isStatus(error) ? error.details?.retryAfterSeconds : undefined;
  return {
    'grpc-status': String(status),
    'grpc-message': percentEncoded(messageOf(error)),
    ...(retryAfter && { 'grpc-retry-pushback-ms': String(retryAfter * 1000) }),
  };
}

/** As the specification has it: printable ASCII but for "%" stays. */
function percentEncoded(message: string): string {
  const bytes = Buffer.from(message.slice(0, 1000));
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
}
