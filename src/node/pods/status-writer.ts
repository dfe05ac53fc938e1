import { pod } from '../../api/addresses.ts';
import { isContained } from '../../api/equal.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { isStatus, messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { backoffMs } from '../../client/backoff.ts';
import type { Client } from '../../client/client.ts';
import type { PodRecord, PodStatus } from './record.ts';

const retry = { initialMs: 500, maxMs: 60_000 };

interface Entry {
  record: PodRecord;
  wanted: PodStatus;
  /** The last status that the API server has taken, as text. */
  written: string | undefined;
  sending: Promise<void> | undefined;
}

/**
 * Writes pods' statuses to the API server: only what changed, one write a pod at a time, the newest state winning.
 * While the server is away the newest state waits; there is at most one a pod.
 */
export class StatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #stopping = new AbortController();

  constructor(options: { client: Client; clock: Clock; log: Log }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  set(record: PodRecord, status: PodStatus): void {
    let entry = this.#entries.get(record.uid);
    if (!entry) {
      const shown = record.pod.status;
      const written = shown && isContained(status, shown) ? JSON.stringify(status) : undefined;
      entry = { record, wanted: status, written, sending: undefined };
      this.#entries.set(record.uid, entry);
    }
    entry.wanted = status;
    this.#send(entry);
  }

  /** Resolves when the pod's newest status is written, or can't be. */
  async flush(uid: string): Promise<void> {
    await this.#entries.get(uid)?.sending;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#entries.values()].map(({ sending }) => sending));
  }

  #send(entry: Entry): void {
    if (this.#stopping.signal.aborted) return;
    entry.sending ??= this.#drain(entry).finally(() => {
      entry.sending = undefined;
    });
  }

  async #drain(entry: Entry): Promise<void> {
    // Changes of the same turn become one write.
    await new Promise((resolve) => setImmediate(resolve));
    for (let failures = 0; !this.#stopping.signal.aborted; ) {
      const text = JSON.stringify(entry.wanted);
      const isCurrent = this.#entries.get(entry.record.uid) === entry;
      if (text === entry.written || !isCurrent) return;
      try {
        await this.#write(entry);
        entry.written = text;
        failures = 0;
      } catch (error) {
        // The pod is gone, or another of the same name took its place: the watch will tell.
        if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
        failures++;
        const { namespace, name } = entry.record;
        const level = failures === 1 ? 'info' : 'debug';
        this.#log[level]('pod status not written, will retry', { namespace, name, error: messageOf(error) });
        await sleep(this.#clock, backoffMs(failures, retry), this.#stopping.signal);
      }
    }
  }

  async #write({ record, wanted }: Entry): Promise<void> {
    const { uid, namespace, name } = record;
    // A merge key per condition keeps those that others wrote; null removes what a plain merge would leave.
    const conditions = wanted.conditions?.map((condition) => ({ reason: null, message: null, ...condition }));
    const status = { reason: null, message: null, ...wanted, ...(conditions && { conditions }) };
    const body = { metadata: { uid }, status };
    await this.#client.patch(
      pod,
      { namespace, name },
      { type: 'strategic', body },
      { subresource: 'status' },
    );
  }
}
