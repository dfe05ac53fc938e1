import type { EpochLogs } from '../training/engine.ts';
import type { Callback, TrainedModel } from './callback.ts';

/** Ends a training whose loss is no number any more, as Keras' TerminateOnNaN. The mean of an epoch stays what it is
 * once a batch has spoilt it, so this is seen at the next report. */
export function terminateOnNaN(): Callback {
  let model: TrainedModel;
  const check = ({ loss }: EpochLogs): void => {
    if (!Number.isFinite(loss)) model.stopTraining = true;
  };
  return {
    onTrainBegin(_info, trained) {
      model = trained;
    },
    onBatchEnd: check,
    onEpochEnd: (_epoch, logs) => check(logs),
  };
}
