import { type Status, StatusError } from '../../../base/errors.ts';
import { groupResource } from '../../failures.ts';
import type { AdmissionRequest } from '../chain.ts';

const codes: Record<string, number> = {
  Unauthorized: 401,
  Forbidden: 403,
  Invalid: 422,
  RequestEntityTooLarge: 413,
};

/** A policy's no, with the reason that the failed validation names. */
export class PolicyRefusal extends StatusError {
  override readonly code: number;
  readonly #reason: string;

  constructor({ resource: { kind }, name, object }: AdmissionRequest, why: string, reason: string) {
    const shown = name || object?.metadata?.name || object?.metadata?.generateName || 'Unknown';
    super('Forbidden', `${groupResource(kind)} "${shown}" is forbidden: ${why}`, {
      details: {
        name: shown,
        ...(kind.group !== '' && { group: kind.group }),
        kind: kind.plural,
        causes: [{ message: why } as { reason: string; message: string }],
      },
    });
    this.#reason = reason;
    this.code = codes[reason] ?? 422;
  }

  override toStatus(): Status {
    return { ...super.toStatus(), reason: this.#reason, code: this.code };
  }
}
