import type { EpochLogs } from '../training/engine.ts';
import type { Callback, CallbackState, TrainedModel } from './callback.ts';
import { comparison, type MonitorMode, monitored } from './monitor.ts';

export interface EarlyStoppingOptions {
  /** The figure to watch. */
  monitor?: string;
  /** A change of at most this counts as none. */
  minDelta?: number;
  /** Epochs without a better figure before the training ends. */
  patience?: number;
  /** Whether smaller or larger is better; 'auto' knows by the figure's name. */
  mode?: MonitorMode;
  /** The figure must be better than this for the patience to start anew. */
  baseline?: number;
  /** Whether the model gets the weights of the best epoch back when the training ends. */
  restoreBestWeights?: boolean;
  /** Epochs before this one are not looked at. */
  startFromEpoch?: number;
}

/** Ends a training that gets no better, as Keras' EarlyStopping
 * (https://keras.io/api/callbacks/early_stopping/).
 * @throws Error at the end of the first epoch if the training has no such figure. */
export function earlyStopping({
  monitor = 'val_loss',
  minDelta = 0,
  patience = 0,
  mode = 'auto',
  baseline,
  restoreBestWeights = false,
  startFromEpoch = 0,
}: EarlyStoppingOptions = {}): Callback {
  const { worst, isBetter } = comparison(monitor, mode, minDelta);
  let model: TrainedModel;
  let best = worst;
  let bestWeights: Float32Array | undefined;
  let waited = 0;

  function onEpochEnd(epoch: number, logs: EpochLogs): void {
    const value = monitored('earlyStopping', monitor, logs);
    if (epoch < startFromEpoch) return;
    if (restoreBestWeights) bestWeights ??= model.weights.slice();
    waited += 1;
    if (isBetter(value, best)) {
      best = value;
      if (restoreBestWeights) bestWeights = model.weights.slice();
      if (baseline === undefined || isBetter(value, baseline)) waited = 0;
    } else if (waited >= patience && epoch > 0) {
      model.stopTraining = true;
    }
  }

  return {
    onTrainBegin(_info, trained) {
      model = trained;
      best = worst;
      bestWeights = undefined;
      waited = 0;
    },
    onEpochEnd,
    onTrainEnd() {
      if (bestWeights) model.weights = bestWeights;
    },
    save: () => ({ values: { best, waited }, weights: bestWeights }),
    restore({ values, weights }: CallbackState) {
      // It is what `save` gave.
      ({ best, waited } = values as { best: number; waited: number });
      bestWeights = weights;
    },
  };
}
