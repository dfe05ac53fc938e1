import { type Status, StatusError } from '../../../base/errors.ts';
import type { AdmissionResponse } from './review.ts';

/** A webhook's no, with the code and the reason that it gave. */
export class WebhookRefusal extends StatusError {
  override readonly code: number;
  readonly #reason: string | undefined;

  constructor(name: string, { code = 400, reason, message }: NonNullable<AdmissionResponse['status']> = {}) {
    const denied = `admission webhook ${JSON.stringify(name)} denied the request`;
    super(
      'Forbidden',
      message ? `${denied}: ${message}` : reason ? `${denied}: ${reason}` : `${denied} without explanation`,
    );
    this.code = Number.isInteger(code) && code >= 400 && code <= 599 ? code : 400;
    this.#reason = reason;
  }

  override toStatus(): Status {
    const { reason: _reason, ...status } = super.toStatus();
    return { ...status, ...(this.#reason && { reason: this.#reason }), code: this.code };
  }
}

/** What becomes of a request whose webhook could not be asked, where it must be. */
export function failedCall(name: string, cause: unknown): StatusError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const text = `Internal error occurred: failed calling webhook ${JSON.stringify(name)}: ${why}`;
  return new StatusError('InternalError', text, { cause });
}
