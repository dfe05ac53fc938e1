import type { EpochLogs } from '../training/engine.ts';

export type MonitorMode = 'auto' | 'min' | 'max';

/** Figures of which more is better, also as those of one output of several. */
const larger = /acc$|accuracy$|(^|_)(precision|recall|auc|f1_score)$/;

/** Whether `value` is better than `than` by more than `minDelta`. 'auto' takes more to be better for accuracies,
 * precision, recall, AUC and F1. */
export function comparison(
  monitor: string,
  mode: MonitorMode,
  minDelta = 0,
): { worst: number; isBetter: (value: number, than: number) => boolean } {
  const name = monitor.replace(/^val_/, '');
  const isMaximum = mode === 'max' || (mode === 'auto' && larger.test(name));
  const delta = Math.abs(minDelta);
  return {
    worst: isMaximum ? -Infinity : Infinity,
    isBetter: (value, than) => (isMaximum ? value - delta > than : value + delta < than),
  };
}

/** The watched figure.
 * @throws Error that names the figures there are. */
export function monitored(callback: string, monitor: string, logs: EpochLogs): number {
  const value = logs[monitor];
  if (value !== undefined) return value;
  throw new Error(
    `${callback} watches ${monitor}, the training has ${Object.keys(logs).join(', ')}: ` +
      'give fit() validationData or validationSplit, or another monitor',
  );
}
