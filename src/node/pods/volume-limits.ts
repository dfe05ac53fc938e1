import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { quantityNumber } from '../../api/quantity.ts';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Running } from '../../base/lifecycle.ts';
import type { Log } from '../../base/log.ts';
import type { Volume } from '../volumes/volume-files.ts';
import { volumeFolder } from '../volumes/volume-folder.ts';
import { isEnding, type PodRecord } from './record.ts';

/** How often volumes are measured, as by the kubelet. */
export const measureMs = 10_000;
/** After so many files other work has its turn. */
const filesAtOnce = 1_000;

export interface VolumeLimitsOptions {
  clock: Clock;
  log: Log;
  records: () => PodRecord[];
  podDir: (uid: string) => string;
  evict: (uid: string, message: string) => void;
}

/** Evicts pods whose `emptyDir` volumes have outgrown their `sizeLimit`; others are not looked at. */
export class VolumeLimits implements Running {
  readonly #options: VolumeLimitsOptions;
  #timer: CancelTimer | undefined;
  #measuring: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: VolumeLimitsOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(measureMs, () => {
      this.#measuring = this.#measureAll().finally(() => this.start());
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.();
    await this.#measuring;
  }

  async #measureAll(): Promise<void> {
    for (const record of this.#options.records()) {
      const limited = (record.pod.spec?.volumes ?? []).filter(limitOf);
      for (const volume of limited) {
        if (this.#isStopped || isEnding(record)) break;
        await this.#measure(record, volume);
      }
    }
  }

  async #measure({ uid, name }: PodRecord, volume: Volume): Promise<void> {
    const { podDir, evict, log } = this.#options;
    const limit = limitOf(volume)!;
    try {
      const bytes = await bytesIn(volumeFolder(podDir(uid), volume.name), quantityNumber(limit));
      if (bytes <= quantityNumber(limit)) return;
      evict(uid, `Usage of EmptyDir volume "${volume.name}" exceeds the limit "${limit}". `);
    } catch (error) {
      log.debug('a volume was not measured', { pod: name, volume: volume.name, error: messageOf(error) });
    }
  }
}

const limitOf = ({ emptyDir }: Volume): string | undefined =>
  emptyDir?.sizeLimit && quantityNumber(emptyDir.sizeLimit) > 0 ? emptyDir.sizeLimit : undefined;

/** What the files of a folder take of the disk, counted until it is more than `enough`. */
async function bytesIn(folder: string, enough: number): Promise<number> {
  const folders = [folder];
  let [bytes, files] = [0, 0];
  for (let next = folders.pop(); next && bytes <= enough; next = folders.pop()) {
    for await (const entry of await opendir(next)) {
      const path = join(next, entry.name);
      // It may go while it is being looked at.
      const found = await lstat(path).catch(() => undefined);
      bytes += (found?.blocks ?? 0) * 512;
      if (entry.isDirectory()) folders.push(path);
      if (++files % filesAtOnce === 0) await new Promise(setImmediate);
      if (bytes > enough) break;
    }
  }
  return bytes;
}
