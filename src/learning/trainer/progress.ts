import type { TrainingProgress } from '../../api/kinds/trainingJob.ts';
import { type Clock, toTime } from '../../base/clock.ts';
import type { BatchLogs, Callback, EpochLogs } from '../../ml/index.ts';

/** A pace of less than this is none. */
const paceMsMin = 250;

/** Follows a training and tells how far it is, as the status of a job has it. */
export function progressOf(options: {
  clock: Clock;
  /** The step of the checkpoint that it goes on from. */
  resumedFromStep: number | undefined;
  tell: (progress: TrainingProgress) => void;
}): Callback {
  const { clock, resumedFromStep, tell } = options;
  let [epochs, batchSize, examples] = [1, 1, undefined as number | undefined];
  /** The pace is that of this epoch in this process. */
  let from: { seen: number; atMs: number } | undefined;
  let perSecond: number | undefined;

  function report(epoch: number, seen: number, logs: EpochLogs | BatchLogs): void {
    const stepsAnEpoch = examples && Math.ceil(examples / batchSize);
    const left = examples && examples * (epochs - epoch) - seen;
    const step = stepsAnEpoch && epoch * stepsAnEpoch + Math.ceil(seen / batchSize);
    const figures = Object.entries(logs).filter(
      ([name, value]) => name !== 'epoch' && name !== 'seen' && Number.isFinite(value),
    );
    const metrics = Object.fromEntries(figures) as Record<string, number>;
    tell({
      epoch: epoch + 1,
      epochs,
      ...(step !== undefined && { step, steps: stepsAnEpoch! * epochs }),
      ...(metrics.loss !== undefined && { loss: metrics.loss }),
      ...(metrics.accuracy !== undefined && { accuracy: metrics.accuracy }),
      metrics,
      ...(perSecond !== undefined && { examplesPerSecond: Math.round(perSecond) }),
      ...(left !== undefined && perSecond && { etaSeconds: Math.ceil(left / perSecond) }),
      ...(resumedFromStep !== undefined && { resumedFromStep }),
      updateTime: toTime(clock.nowMs()),
    });
  }

  return {
    onTrainBegin(info) {
      ({ epochs, batchSize, examples } = info);
    },
    onEpochBegin() {
      from = { seen: 0, atMs: clock.nowMs() };
    },
    onBatchEnd({ epoch, seen, ...logs }) {
      const nowMs = clock.nowMs();
      // An epoch that an earlier run began.
      from ??= { seen, atMs: nowMs };
      const elapsedMs = nowMs - from.atMs;
      if (elapsedMs >= paceMsMin && seen > from.seen) perSecond = ((seen - from.seen) / elapsedMs) * 1000;
      report(epoch, seen, { ...logs } as EpochLogs);
    },
    onEpochEnd(epoch, logs) {
      from = undefined;
      report(epoch, examples ?? 0, logs);
    },
  };
}
