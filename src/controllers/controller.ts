import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Change } from '../client/cache.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/events.ts';
import type { Informer } from '../client/informer.ts';
import { createWorkQueue, type WorkQueue } from '../client/work-queue.ts';
import type { ContentStore } from '../oci/content-store.ts';
import type { Informers } from './informers.ts';
import { exposeQueue, queueCounts } from './queue-metrics.ts';

/** Most failures are conflicts with another controller's write, which is in the cache a moment later. */
const retryInitialMs = 20;

/** What every controller is given. */
export interface Context {
  client: Client;
  clock: Clock;
  log: Log;
  informers: Informers;
  /** Where controllers count what they do. */
  metrics?: Metrics | undefined;
  /** The cluster's own registry, where this process has it. */
  registry?: ContentStore | undefined;
  /** Tells events as the named component. */
  recorder: (component: string) => EventRecorder;
}

/** A kind that a controller follows, and which keys a change of it calls for. */
export interface Source {
  attach(informers: Informers, queue: WorkQueue): { synced: Promise<void>; detach: () => void };
}

export function source<T extends KubeObject>(
  kind: KindAddress<T>,
  keysFor: (change: Change<T>) => readonly string[],
): Source {
  return {
    attach(informers, queue) {
      const informer: Informer<T> = informers.of(kind);
      const detach = informer.onEvent((change) => {
        for (const key of keysFor(change)) queue.add(key);
      });
      return { synced: informer.hasSynced(), detach };
    },
  };
}

/** Follows the sources and reconciles the keys that they call for, after all of them are in the cache. */
export function runController(
  { clock, log, informers, metrics }: Context,
  controller: {
    name: string;
    sources: readonly Source[];
    /** Brings one key to the wanted state. Throwing retries it later; a number looks again after that many ms. */
    reconcile: (key: string) => Promise<number | undefined>;
    concurrency?: number;
  },
): Running {
  const { name, sources, reconcile, concurrency = 4 } = controller;
  const ownLog = log.with({ controller: name });
  const counts = metrics && queueCounts();
  const queue = createWorkQueue({
    clock,
    log: ownLog,
    concurrency,
    retryInitialMs,
    counts,
    process: reconcile,
  });
  if (counts) exposeQueue(metrics, name, { counts, depth: () => queue.size });
  const attached = sources.map((each) => each.attach(informers, queue));
  Promise.all(attached.map(({ synced }) => synced)).then(
    () => queue.start(),
    (error: unknown) => ownLog.debug('stopped before it began', { error: messageOf(error) }),
  );
  return {
    async stop() {
      for (const { detach } of attached) detach();
      await queue.stop();
    },
  };
}
