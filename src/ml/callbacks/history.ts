import type { EpochLogs } from '../training/engine.ts';
import type { Callback } from './callback.ts';

/** What `fit` returns: one entry an epoch, by Keras' names; see `EpochLogs`. `val_loss` and `val_accuracy` are there
 * where there was a validation. */
export interface History {
  loss: number[];
  accuracy: number[];
  val_loss?: number[];
  val_accuracy?: number[];
  [figure: string]: number[] | undefined;
}

export function historyRecorder(figures: readonly string[]): Callback & { history: History } {
  // `accuracy` is among the figures unless other metrics were asked for.
  const empty = () => Object.fromEntries(figures.map((figure) => [figure, []])) as unknown as History;
  const recorder = {
    history: empty(),
    onEpochEnd(_epoch: number, logs: EpochLogs) {
      for (const [figure, value] of Object.entries(logs)) {
        recorder.history[figure] ??= [];
        recorder.history[figure].push(value);
      }
    },
    save: () => ({ values: recorder.history }),
    restore({ values }: { values: unknown }) {
      recorder.history = values as History;
    },
  };
  return recorder;
}
