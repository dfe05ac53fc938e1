import { type Clock, sleep } from '../../base/clock.ts';
import { isStatus, messageOf } from '../../base/errors.ts';

const retryMs = 10_000;

/** Does `action` again and again until what it calls can be reached: offline is a normal state of a node. Other failures are thrown. */
export async function untilReachable<T>(
  action: () => Promise<T>,
  {
    clock,
    say,
    what,
    signal,
  }: { clock: Clock; say: (text: string) => void; what: string; signal?: AbortSignal },
): Promise<T> {
  for (let isTold = false; ; isTold = true) {
    try {
      return await action();
    } catch (error) {
      if (!isStatus(error, 'ServiceUnavailable') || signal?.aborted) throw error;
      if (!isTold) say(`${what} waits for the link: ${messageOf(error)}`);
      await sleep(clock, retryMs, signal);
    }
  }
}
