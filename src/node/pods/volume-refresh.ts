import type { CancelTimer, Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Running } from '../../base/lifecycle.ts';
import type { Log } from '../../base/log.ts';
import type { Volume } from '../volumes/volume-files.ts';
import { makePodVolumes, type StartSources } from './container-start.ts';
import { isEnding, type PodRecord } from './record.ts';

/** A change of a ConfigMap reaches the volumes that show it within this time (kubelet: 60 to 90 s). */
export const refreshMs = 60_000;

/** Brings the volumes of running pods up to date, for those pods only that have some which can change. */
export class VolumeRefresh implements Running {
  readonly #options: { clock: Clock; log: Log; records: () => PodRecord[]; sources: StartSources };
  #timer: CancelTimer | undefined;
  #refreshing: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: { clock: Clock; log: Log; records: () => PodRecord[]; sources: StartSources }) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(refreshMs, () => {
      this.#refreshing = this.#refreshAll().finally(() => this.start());
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.();
    await this.#refreshing;
  }

  /** One pod after the other: nobody waits, and a weak link is not flooded. */
  async #refreshAll(): Promise<void> {
    const { records, sources, log } = this.#options;
    for (const record of records().filter(canChange)) {
      if (this.#isStopped) return;
      await makePodVolumes(record, sources, showsObjects).catch((error: unknown) => {
        log.debug('volumes not refreshed', { pod: record.name, error: messageOf(error) });
      });
    }
  }
}

function canChange(record: PodRecord): boolean {
  const isRunning = Object.values(record.containers).some(({ phase }) => phase.kind === 'running');
  return isRunning && !isEnding(record) && (record.pod.spec?.volumes ?? []).some(showsObjects);
}

/** Whether a volume's content comes from objects of the API; an image's or an empty folder's doesn't change. */
const showsObjects = ({ configMap, secret, projected, downwardAPI }: Volume): boolean =>
  (configMap ?? secret ?? projected ?? downwardAPI) !== undefined;
