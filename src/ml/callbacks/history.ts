import type { EpochLogs } from '../training/engine.ts';
import type { Callback } from './callback.ts';

/** What `fit` returns: one entry an epoch, by Keras' names. */
export type History = { [Figure in keyof EpochLogs]: number[] } & { loss: number[]; accuracy: number[] };

export function historyRecorder(): Callback & { history: History } {
  const history: History = { loss: [], accuracy: [] };
  return {
    history,
    onEpochEnd(_epoch, logs) {
      for (const [figure, value] of Object.entries(logs) as [keyof EpochLogs, number][]) {
        history[figure] ??= [];
        history[figure].push(value);
      }
    },
  };
}
