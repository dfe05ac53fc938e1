import type { Clock } from '../base/clock.ts';
import type { Authority } from '../identity/authority.ts';

type Issued = ReturnType<Authority['issue']>;
type Terms = Parameters<Authority['issue']>[0];

const checkMs = 24 * 3600 * 1000;

/** A certificate of this process itself, issued anew when half of its life has passed: a process may run for years. */
export interface RenewedCertificate {
  current(): Issued;
  /** Calls back with every later certificate, until the returned function is called. */
  onRenewal(listener: (issued: Issued) => void): () => void;
}

export function renewedCertificate(options: {
  authority: Authority;
  clock: Clock;
  terms: Terms;
}): RenewedCertificate {
  const { authority, clock, terms } = options;
  let issued = authority.issue(terms);
  let issuedMs = clock.nowMs();
  const current = () => {
    if (clock.nowMs() - issuedMs > (terms.lifetimeSeconds * 1000) / 2) {
      issued = authority.issue(terms);
      issuedMs = clock.nowMs();
    }
    return issued;
  };
  return {
    current,
    onRenewal(listener) {
      let seen = issued;
      let cancel = () => {};
      const check = () => {
        if (current() !== seen) listener(current());
        seen = current();
        cancel = clock.after(checkMs, check);
      };
      cancel = clock.after(checkMs, check);
      return () => cancel();
    },
  };
}
