import type { TrainingJobStatus } from '../../api/kinds/trainingJob.ts';
import { type CancelTimer, type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';

/** Progress is told no more often than this: each report is a write that every watcher sees. */
export const reportIntervalMs = 2_000;
/** How long the last report, which must arrive, waits between two tries. */
const retryMs = 5_000;

export type StatusPatch = Partial<Pick<TrainingJobStatus, 'progress' | 'result' | 'federated'>>;

export interface StatusReporter {
  /** Tells this soon; what comes in between two reports replaces what waits. Without a link it is left out. */
  tell(status: StatusPatch): void;
  /** Tells this and returns when it has arrived, however long the link is down. */
  insist(status: StatusPatch, signal?: AbortSignal): Promise<void>;
  stop(): void;
}

/** Reports over `send`, one at a time and at a bounded rate. */
export function createStatusReporter(options: {
  send: (status: StatusPatch) => Promise<void>;
  clock: Clock;
  /** Told of a link that is lost, once, and of a link that is back. */
  say: (text: string) => void;
}): StatusReporter {
  const { send, clock, say } = options;
  let waiting: StatusPatch | undefined;
  /** What did not arrive, as long as nothing newer did. */
  let lost: StatusPatch | undefined;
  let sending: Promise<void> | undefined;
  let cancel: CancelTimer | undefined;
  let lastMs = Number.NEGATIVE_INFINITY;
  let isDown = false;

  async function attempt(status: StatusPatch): Promise<boolean> {
    lastMs = clock.nowMs();
    try {
      await send(status);
      if (isDown) say('the API server is back');
      isDown = false;
      lost = undefined;
      return true;
    } catch (error) {
      if (!isDown) say(`the API server does not hear of the progress; training goes on: ${messageOf(error)}`);
      isDown = true;
      lost = { ...lost, ...status };
      return false;
    }
  }

  function schedule(): void {
    if (!waiting || sending || cancel) return;
    cancel = clock.after(Math.max(0, lastMs + reportIntervalMs - clock.nowMs()), () => {
      cancel = undefined;
      const status = waiting!;
      waiting = undefined;
      sending = attempt(status).then(() => {
        sending = undefined;
        schedule();
      });
    });
  }

  function drop(): void {
    cancel?.();
    cancel = undefined;
    waiting = undefined;
  }

  return {
    tell(status) {
      waiting = { ...waiting, ...status };
      schedule();
    },
    async insist(status, signal) {
      const last = { ...waiting, ...status };
      drop();
      await sending;
      const all = { ...lost, ...last };
      while (!(await attempt(all))) {
        signal?.throwIfAborted();
        await sleep(clock, retryMs, signal);
      }
    },
    stop: drop,
  };
}
