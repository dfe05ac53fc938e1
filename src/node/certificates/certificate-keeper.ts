import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Running } from '../../base/lifecycle.ts';
import type { Log } from '../../base/log.ts';
import { backoffMs } from '../../client/backoff.ts';
import type { HeldCertificate } from './request-certificate.ts';
import { renewAtMs, validityOf } from './validity.ts';

export interface CertificateKeeperOptions {
  /** What it is for, to be read in the log. */
  name: string;
  clock: Clock;
  log: Log;
  /** What an earlier run has saved, if anything. */
  load: () => HeldCertificate | undefined;
  save: (held: HeldCertificate) => void;
  request: (signal: AbortSignal) => Promise<HeldCertificate>;
  /** Called with the first certificate and with every new one. */
  onCertificate: (held: HeldCertificate) => void;
}

const retry = { initialMs: 1_000, maxMs: 300_000 };
/** Timers can't be set for months, and clocks get corrected: look again this often. */
const lookAgainMs = 3_600_000;

/**
 * Keeps one certificate fresh. A certificate is never given up because its renewal failed or because the clock says
 * that it has expired: it is used until a new one is there.
 */
export class CertificateKeeper implements Running {
  readonly #options: CertificateKeeperOptions;
  readonly #stopping = new AbortController();
  #held: HeldCertificate | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
  }

  get current(): HeldCertificate | undefined {
    return this.#held;
  }

  /** Uses the saved certificate if there is one; begins to renew. */
  start(): void {
    const saved = this.#options.load();
    if (saved) this.#use(saved);
    this.#loop = this.#keep();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #keep(): Promise<void> {
    const { clock, log, name } = this.#options;
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted; ) {
      const waitMs = this.#dueMs() - clock.nowMs();
      if (waitMs > 0) {
        await sleep(clock, Math.min(waitMs, lookAgainMs), signal);
        continue;
      }
      try {
        const held = await this.#options.request(signal);
        this.#options.save(held);
        this.#use(held);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        const fields = { certificate: name, failures, error: messageOf(error) };
        // Once is news; the rest of a long disconnection is not.
        if (failures === 3) log.warn('certificate not renewed; the present one stays in use', fields);
        else log.debug('certificate not renewed', fields);
        await sleep(clock, backoffMs(failures, retry), signal);
      }
    }
  }

  #dueMs(): number {
    if (!this.#held) return 0;
    return renewAtMs(validityOf(this.#held.certificatePem));
  }

  #use(held: HeldCertificate): void {
    this.#held = held;
    this.#options.onCertificate(held);
  }
}
