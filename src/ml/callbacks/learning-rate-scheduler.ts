import type { Callback, TrainedModel } from './callback.ts';

/** Sets the rate of each epoch to `schedule(epoch, rate)`, as Keras' LearningRateScheduler
 * (https://keras.io/api/callbacks/learning_rate_scheduler/). */
export function learningRateScheduler(schedule: (epoch: number, learningRate: number) => number): Callback {
  let model: TrainedModel;
  return {
    onTrainBegin(_info, trained) {
      model = trained;
    },
    onEpochBegin(epoch) {
      const rate = schedule(epoch, model.learningRate);
      if (!Number.isFinite(rate))
        throw new RangeError(
          `learningRateScheduler: the rate of epoch ${epoch} is ${rate}, expected a number`,
        );
      model.learningRate = rate;
    },
  };
}
