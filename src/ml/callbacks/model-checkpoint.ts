import { rename, writeFile } from 'node:fs/promises';
import type { EpochLogs } from '../training/engine.ts';
import type { Callback, CallbackState, TrainedModel } from './callback.ts';
import { comparison, type MonitorMode, monitored } from './monitor.ts';

export interface ModelCheckpointOptions {
  /** The figure to watch where only the best is kept. */
  monitor?: string;
  /** Whether to write only when the figure is better than ever. */
  saveBestOnly?: boolean;
  mode?: MonitorMode;
  /** The figure must be better than this for the first writing. */
  initialValueThreshold?: number;
}

/** Writes the model's weights (safetensors, as `exportModel` does) after an epoch, as Keras' ModelCheckpoint
 * (https://keras.io/api/callbacks/model_checkpoint/). The path may hold `{epoch}` (from 1) and figures, with a width
 * or digits: `best-{epoch:02d}-{val_loss:.2f}.safetensors`. */
export function modelCheckpoint(
  path: string,
  {
    monitor = 'val_loss',
    saveBestOnly = false,
    mode = 'auto',
    initialValueThreshold,
  }: ModelCheckpointOptions = {},
): Callback {
  const { worst, isBetter } = comparison(monitor, mode);
  let best = initialValueThreshold ?? worst;
  let model: TrainedModel;

  async function onEpochEnd(epoch: number, logs: EpochLogs): Promise<void> {
    if (saveBestOnly) {
      const value = monitored('modelCheckpoint', monitor, logs);
      if (!isBetter(value, best)) return;
      best = value;
    }
    const file = fill(path, { ...logs, epoch: epoch + 1 });
    await writeFile(`${file}.tmp`, model.weightsFile());
    await rename(`${file}.tmp`, file);
  }

  return {
    onTrainBegin(_info, trained) {
      model = trained;
    },
    onEpochEnd,
    save: () => ({ values: { best } }),
    restore({ values }: CallbackState) {
      // It is what `save` gave.
      ({ best } = values as { best: number });
    },
  };
}

/** Python's format fields, as far as numbers in file names need them. */
function fill(path: string, figures: Record<string, number>): string {
  return path.replace(/\{(\w+)(?::0?(\d*)(?:\.(\d+))?[df]?)?\}/g, (field, name, width = '', digits) => {
    const value = figures[name];
    if (value === undefined)
      throw new Error(`modelCheckpoint: ${field} is none of ${Object.keys(figures).join(', ')}`);
    const text = digits === undefined ? String(value) : value.toFixed(Number(digits));
    return text.padStart(Number(width), '0');
  });
}
