import type { EpochLogs } from '../training/engine.ts';
import type { Callback, CallbackState, TrainedModel } from './callback.ts';
import { comparison, type MonitorMode, monitored } from './monitor.ts';

export interface ReduceLrOnPlateauOptions {
  /** The figure to watch. */
  monitor?: string;
  /** What the rate is multiplied by. */
  factor?: number;
  /** Epochs without a better figure before the rate falls. */
  patience?: number;
  mode?: MonitorMode;
  /** A change of at most this counts as none. */
  minDelta?: number;
  /** Epochs after a fall in which none are counted. */
  cooldown?: number;
  minLr?: number;
}

/** Lowers the learning rate of a training that gets no better, as Keras' ReduceLROnPlateau
 * (https://keras.io/api/callbacks/reduce_lr_on_plateau/).
 * @throws Error at the end of the first epoch if the training has no such figure. */
export function reduceLrOnPlateau({
  monitor = 'val_loss',
  factor = 0.1,
  patience = 10,
  mode = 'auto',
  minDelta = 1e-4,
  cooldown = 0,
  minLr = 0,
}: ReduceLrOnPlateauOptions = {}): Callback {
  if (!(factor < 1)) throw new RangeError(`reduceLrOnPlateau: factor must be below 1, got ${factor}`);
  const { worst, isBetter } = comparison(monitor, mode, minDelta);
  let model: TrainedModel;
  let [best, waited, cooling] = [worst, 0, 0];

  function onEpochEnd(_epoch: number, logs: EpochLogs): void {
    const value = monitored('reduceLrOnPlateau', monitor, logs);
    if (cooling > 0) {
      cooling -= 1;
      waited = 0;
    }
    if (isBetter(value, best)) {
      best = value;
      waited = 0;
    } else if (cooling === 0) {
      waited += 1;
      if (waited >= patience && model.learningRate > minLr) {
        model.learningRate = Math.max(model.learningRate * factor, minLr);
        cooling = cooldown;
        waited = 0;
      }
    }
  }

  return {
    onTrainBegin(_info, trained) {
      model = trained;
      [best, waited, cooling] = [worst, 0, 0];
    },
    onEpochEnd,
    save: () => ({ values: { best, waited, cooling } }),
    restore({ values }: CallbackState) {
      // It is what `save` gave.
      ({ best, waited, cooling } = values as { best: number; waited: number; cooling: number });
    },
  };
}
