import { conditionOf } from '../api/conditions.ts';
import { type APIService, apiService } from '../api/kinds/apiService.ts';
import { apiVersionOf, type KindAddress, type KubeObject } from '../api/object.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Change } from '../client/cache.ts';
import type { Client, ServedKind } from '../client/client.ts';
import type { WorkQueue } from '../client/work-queue.ts';
import type { CustomKinds } from './custom-kinds.ts';
import type { Informers } from './informers.ts';

/** Other servers tell nobody when they begin to serve a kind; they are asked this often, as in Kubernetes. */
export const rediscoverMs = 30_000;

/** Whether the version is served by another API server. */
export function isAggregated({ spec }: APIService): boolean {
  return spec?.service !== undefined && spec.service !== null;
}

/** Whether that server can be asked at the moment. */
export function isAvailable(service: APIService): boolean {
  return conditionOf(service, 'Available')?.status === 'True';
}

/**
 * Follows the objects that other API servers serve and that can be listed, watched and deleted. While a server cannot be
 * asked, what was followed of it stays.
 */
export function aggregatedKinds(
  { client, clock, log }: { client: Client; clock: Clock; log: Log },
  keysFor: (kind: KindAddress, change: Change<KubeObject>) => readonly string[],
  /** Which keys call for attention when a kind becomes known. */
  keysOnFollow: () => readonly string[] = () => [],
): CustomKinds {
  const followed = new Map<string, { kind: ServedKind; detach: () => void }>();
  let again = Promise.withResolvers<void>();

  const unfollow = (name: string, informers: Informers) => {
    const held = followed.get(name);
    if (!held) return;
    followed.delete(name);
    held.detach();
    informers.forget(held.kind);
  };
  const follow = (kind: ServedKind, informers: Informers, queue: WorkQueue) => {
    const detach = informers.of(kind).onEvent((change) => {
      for (const key of keysFor(kind, change)) queue.add(key);
    });
    followed.set(nameOf(kind), { kind, detach });
    for (const key of keysOnFollow()) queue.add(key);
  };

  /** Brings what is followed to what is served now. */
  async function discover(informers: Informers, queue: WorkQueue): Promise<void> {
    const services = informers.of(apiService).list().filter(isAggregated);
    const versions = new Set(services.map(({ spec }) => `${spec!.group}/${spec!.version}`));
    for (const [name, { kind }] of [...followed]) {
      if (!versions.has(apiVersionOf(kind))) unfollow(name, informers);
    }
    for (const { spec } of services.filter(isAvailable)) {
      const at = { group: spec?.group ?? '', version: spec?.version ?? '' };
      try {
        const kinds = (await client.discover(at)).filter(canBeFollowed);
        const served = new Set(kinds.map(nameOf));
        for (const [name, { kind }] of [...followed]) {
          if (kind.group === at.group && kind.version === at.version && !served.has(name)) {
            unfollow(name, informers);
          }
        }
        for (const kind of kinds) if (!followed.has(nameOf(kind))) follow(kind, informers, queue);
      } catch (error) {
        log.debug('another API server does not say what it serves', { ...at, error: messageOf(error) });
      }
    }
  }

  /** Nobody who has no such servers is ever woken. */
  async function run(informers: Informers, queue: WorkQueue, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await again.promise;
      again = Promise.withResolvers();
      while (!signal.aborted && (followed.size > 0 || informers.of(apiService).list().some(isAggregated))) {
        await discover(informers, queue);
        await Promise.race([again.promise, sleep(clock, rediscoverMs, signal).catch(() => {})]);
        again = Promise.withResolvers();
      }
    }
  }

  return {
    kinds: () => [...followed.values()].map(({ kind }) => kind),
    find: (apiVersion, kind) =>
      [...followed.values()].find((each) => each.kind.kind === kind && apiVersionOf(each.kind) === apiVersion)
        ?.kind,
    attach(informers, queue) {
      const stop = new AbortController();
      const services = informers.of(apiService);
      const detach = services.onEvent(({ object }) => {
        if (isAggregated(object)) again.resolve();
      });
      const running = run(informers, queue, stop.signal);
      running.catch((error: unknown) =>
        log.error('kinds of other API servers are no longer followed', { error: messageOf(error) }),
      );
      return {
        synced: services.hasSynced(),
        detach() {
          detach();
          stop.abort();
          again.resolve();
          for (const name of [...followed.keys()]) unfollow(name, informers);
        },
      };
    },
  };
}

function canBeFollowed({ verbs }: ServedKind): boolean {
  return ['list', 'watch', 'delete'].every((verb) => verbs.includes(verb));
}

function nameOf({ group, plural }: KindAddress): string {
  return `${plural}.${group}`;
}
