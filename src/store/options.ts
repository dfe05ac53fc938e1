import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Encryption } from './value-codec.ts';

export interface StoreOptions {
  /** The database file, or `:memory:`. Its folder is made when missing. */
  path: string;
  clock?: Clock;
  log?: Log;
  encrypt?: Encryption;
  /** Changes kept for watches and lists of the past; older ones are compacted by themselves. */
  historyMax?: number;
  /** Events kept in memory for watches. */
  watchBacklogMax?: number;
  /** JSON of those events. */
  watchBacklogBytesMax?: number;
  /** Writes that may wait; more are refused with TooManyRequests. */
  writeQueueMax?: number;
  /** JSON of one value. */
  valueBytesMax?: number;
  /** The database file's size; a write beyond is refused as if the disk were full. */
  sizeMaxBytes?: number;
  cacheEntriesMax?: number;
  cacheBytesMax?: number;
  /** Freeze what is handed out; by default under Node's test runner, since it costs time. */
  freeze?: boolean;
}

const MiB = 1024 * 1024;

export const storeDefaults = {
  historyMax: 10_000,
  watchBacklogMax: 1024,
  watchBacklogBytesMax: 8 * MiB,
  writeQueueMax: 4096,
  writeQueueBytesMax: 64 * MiB,
  batchMax: 256,
  valueBytesMax: 1.5 * MiB,
  sizeMaxBytes: 2048 * MiB,
  cacheEntriesMax: 20_000,
  cacheBytesMax: 16 * MiB,
};
