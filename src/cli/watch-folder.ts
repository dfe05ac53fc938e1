import { statSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';

/** How often the folder is looked at. */
export const lookMs = 10_000;

/** Says once that a folder this process works in is gone, or another: open files go on, and end with the process. */
export function watchFolder(folder: string, { clock, log }: { clock: Clock; log: Log }): Running {
  const began = identityOf(folder);
  let cancel = clock.after(lookMs, look);
  return { stop: async () => cancel() };

  function look(): void {
    const now = identityOf(folder);
    if (now === began) cancel = clock.after(lookMs, look);
    else
      log.error(
        `the data folder was ${now ? 'replaced' : 'removed'} while it is in use: nothing that is written now outlives this process; stop it, put the folder back, and start again`,
        { folder },
      );
  }
}

/** Undefined where there is none, or none that this user can reach. */
function identityOf(folder: string): string | undefined {
  try {
    const { dev, ino } = statSync(folder);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
