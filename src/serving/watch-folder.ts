import { type Clock, sleep } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { ModelRepository } from './repository.ts';

/**
 * Reloads models whose files have changed, so that new weights go live in place. It looks instead of being told, since the
 * folder may be replaced as a whole, by a link of another name. A model that can't be loaded is told once, and the one
 * before it goes on. Returns what ends it.
 */
export function watchFolder(options: {
  repository: ModelRepository;
  clock: Clock;
  intervalMs: number;
  onReload?: (model: string) => void;
  onError: (message: string) => void;
}): () => void {
  const { repository, clock, intervalMs, onReload, onError } = options;
  const ended = new AbortController();

  async function reload(name: string): Promise<void> {
    try {
      await repository.load(name);
      onReload?.(name);
    } catch (error) {
      onError(`the new files are not served: ${messageOf(error)}`);
    }
  }

  async function watch(): Promise<void> {
    for (;;) {
      await sleep(clock, intervalMs, ended.signal);
      if (ended.signal.aborted) return;
      for (const name of await repository.changed()) await reload(name);
    }
  }

  // Its failures are caught one by one.
  void watch();
  return () => ended.abort();
}
