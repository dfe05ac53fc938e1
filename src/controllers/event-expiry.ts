import type { Event } from '../api/kinds/event.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Context } from './controller.ts';

/** As Kubernetes keeps them (kube-apiserver's --event-ttl). */
export const eventLifetimeMs = 3600_000;
const checkMs = 600_000;
const pageSize = 500;

/** Deletes events that have not happened again for an hour. It lists them rarely instead of watching them all the time. */
export function run({ client, clock, log }: Pick<Context, 'client' | 'clock' | 'log'>): Running {
  let isStopped = false;
  let sweeping = Promise.resolve();
  let cancel = clock.after(checkMs, start);

  function start(): void {
    sweeping = sweep()
      .catch((error: unknown) => log.warn('old events were not deleted', { error: messageOf(error) }))
      .finally(() => {
        if (!isStopped) cancel = clock.after(checkMs, start);
      });
  }

  async function sweep(): Promise<void> {
    let next: string | undefined;
    do {
      const page = await client.list(eventKind, { limit: pageSize, ...(next && { continue: next }) });
      for (const event of page.items) {
        if (isStopped) return;
        if (isExpired(event, clock.nowMs())) await remove(event);
      }
      next = page.metadata.continue;
    } while (next && !isStopped);
  }

  async function remove({ metadata }: Event): Promise<void> {
    const key = { namespace: metadata!.namespace, name: metadata!.name! };
    const preconditions = { resourceVersion: metadata!.resourceVersion! };
    try {
      await client.delete(eventKind, key, { preconditions });
    } catch (error) {
      // It happened again, or is gone.
      if (!isStatus(error, 'Conflict') && !isStatus(error, 'NotFound')) throw error;
    }
  }

  return {
    async stop() {
      isStopped = true;
      cancel();
      await sweeping;
    },
  };
}

/** Pure: by the newest time that the event tells. */
export function isExpired(event: Event, nowMs: number): boolean {
  const { lastTimestamp, eventTime, metadata } = event;
  const newest = [lastTimestamp, eventTime, metadata?.creationTimestamp].map((time) =>
    Date.parse(time ?? ''),
  );
  return nowMs - Math.max(...newest.filter((ms) => !Number.isNaN(ms)), 0) > eventLifetimeMs;
}
