import { watch as watchFile } from 'node:fs';
import { type Clock, sleep } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { ModelRepository } from './repository.ts';

/** A folder in which nothing has changed for so long is whole. */
const settleMs = 20;

/**
 * Reloads models whose files have changed, so that new weights go live in place: when the system tells of a change in
 * `folder`, and every `intervalMs`, since not all file systems tell, and the folder may be replaced as a whole. A model
 * that can't be loaded is told once, and the one before it goes on. Returns what ends it.
 */
export function watchFolder(options: {
  repository: ModelRepository;
  folder: string;
  clock: Clock;
  intervalMs: number;
  onReload?: (model: string) => void;
  onError: (message: string) => void;
}): () => void {
  const { repository, folder, clock, intervalMs, onReload, onError } = options;
  const ended = new AbortController();
  let told = new AbortController();

  async function reload(name: string): Promise<void> {
    try {
      await repository.load(name);
      onReload?.(name);
    } catch (error) {
      onError(`the new files are not served: ${messageOf(error)}`);
    }
  }

  async function follow(): Promise<void> {
    for (;;) {
      const untilMs = clock.nowMs() + intervalMs;
      await sleep(clock, intervalMs, told.signal);
      while (told.signal.aborted && !ended.signal.aborted && clock.nowMs() < untilMs) {
        told = new AbortController();
        await sleep(clock, settleMs, ended.signal);
      }
      if (ended.signal.aborted) return;
      for (const name of await repository.changed()) await reload(name);
    }
  }

  tellOfChanges(folder, ended.signal, () => told.abort());
  ended.signal.addEventListener('abort', () => told.abort());
  // Its failures are caught one by one.
  void follow();
  return () => ended.abort();
}

/** Only hints, so that nothing depends on them: a system may have none to give, or too many. */
function tellOfChanges(folder: string, signal: AbortSignal, tell: () => void): void {
  try {
    watchFile(folder, { signal, persistent: false }, tell).on('error', () => {});
  } catch {
    // The interval goes on.
  }
}
