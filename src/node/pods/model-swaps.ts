import type { CancelTimer, Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Running } from '../../base/lifecycle.ts';
import type { Log } from '../../base/log.ts';
import type { EventRecorder } from '../../client/events.ts';
import { makePodVolumes, type StartSources } from './container-start.ts';
import { isModelVolume, wantedModel } from './image-volumes.ts';
import { podEvents } from './pod-events.ts';
import { isAlive, isEnding, type PodRecord } from './record.ts';

/** A model that can't be fetched is tried again after this time, then after ever longer ones. */
export const retryMs = 1_000;
export const retryMsMax = 60_000;

export interface ModelSwapsOptions {
  clock: Clock;
  log: Log;
  recorder: EventRecorder;
  sources: StartSources;
  /** Keeps the record: what it shows has changed. */
  onChange: (record: PodRecord) => void;
}

/** Shows running pods the model that they are told to show, without starting them anew. */
export class ModelSwaps implements Running {
  readonly #options: ModelSwapsOptions;
  /** By pod: the swap that goes on, or waits for its next attempt. */
  readonly #swaps = new Map<string, { cancel?: CancelTimer; done?: Promise<void> }>();
  #isStopped = false;

  constructor(options: ModelSwapsOptions) {
    this.#options = options;
  }

  /** The pod's object has changed, or the pod is seen for the first time. */
  check(record: PodRecord): void {
    const swap = this.#swaps.get(record.uid);
    // A swap under way looks again at its end; one that waits has a new model to try at once.
    if (swap?.done || this.#isStopped || !isOutdated(record)) return;
    swap?.cancel?.();
    this.#begin(record, retryMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const swaps = [...this.#swaps.values()];
    for (const { cancel } of swaps) cancel?.();
    await Promise.all(swaps.map(({ done }) => done));
  }

  #begin(record: PodRecord, nextRetryMs: number): void {
    const done = this.#swap(record, nextRetryMs);
    this.#swaps.set(record.uid, { done });
  }

  async #swap(record: PodRecord, nextRetryMs: number): Promise<void> {
    const { sources, recorder, onChange, log, clock } = this.#options;
    const events = podEvents(record, recorder);
    const wanted = wantedModel(record);
    try {
      await makePodVolumes(record, sources, (volume) => isModelVolume(record, volume));
      events.normal('ModelSwapped', `Showing model ${record.shownModel} in place`);
      onChange(record);
      this.#swaps.delete(record.uid);
      this.check(record);
    } catch (error) {
      this.#swaps.delete(record.uid);
      if (this.#isStopped || isEnding(record)) return;
      if (wantedModel(record) !== wanted) return this.check(record);
      log.warn('model not swapped, will retry', { pod: record.name, error: messageOf(error) });
      events.warning('FailedModelSwap', `Model ${wanted} is not shown: ${messageOf(error)}`);
      const cancel = clock.after(nextRetryMs, () => {
        this.#swaps.delete(record.uid);
        if (isOutdated(record)) this.#begin(record, Math.min(2 * nextRetryMs, retryMsMax));
      });
      this.#swaps.set(record.uid, { cancel });
    }
  }
}

/** Whether the pod runs with another model than it is told to. Before one is shown, its start looks for itself. */
function isOutdated(record: PodRecord): boolean {
  const { shownModel } = record;
  const isRunning = Object.values(record.containers).some(isAlive);
  return shownModel !== undefined && isRunning && !isEnding(record) && wantedModel(record) !== shownModel;
}
