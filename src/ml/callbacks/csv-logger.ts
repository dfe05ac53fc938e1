import { appendFile, readFile, writeFile } from 'node:fs/promises';
import type { EpochLogs } from '../training/engine.ts';
import type { Callback } from './callback.ts';

/** Writes a line an epoch with all figures to a CSV file, as Keras' CSVLogger
 * (https://keras.io/api/callbacks/csv_logger/). A training that goes on from a checkpoint needs `append`. */
export function csvLogger(
  path: string,
  { separator = ',', append = false }: { separator?: string; append?: boolean } = {},
): Callback {
  let names: string[] | undefined;
  return {
    async onTrainBegin() {
      const text = append ? await readFile(path, 'utf8').catch(() => '') : '';
      names = text === '' ? undefined : text.slice(0, text.indexOf('\n')).split(separator).slice(1);
      if (!append) await writeFile(path, '');
    },
    async onEpochEnd(epoch: number, logs: EpochLogs) {
      const header = names ? [] : [['epoch', ...Object.keys(logs).toSorted()]];
      names ??= header[0]!.slice(1);
      const row = [epoch, ...names.map((name) => logs[name] ?? 'NA')];
      await appendFile(path, [...header, row].map((cells) => `${cells.join(separator)}\n`).join(''));
    },
  };
}
