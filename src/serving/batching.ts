import type { CancelTimer, Clock } from '../base/clock.ts';
import { isStatus, StatusError } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Tensor } from './datatype.ts';
import { isRowwise, joinRows, rowsOf, splitRows } from './rows.ts';
import { ModelClosed, type Session, waitingMax } from './session.ts';

export const batchRowsMax = 32;
export const latencyBudgetMsMax = 5;

export interface BatchingOptions {
  model: string;
  metrics: Metrics;
  clock: Clock;
  /** Rows of one run, 1 to `batchRowsMax`; 1 turns batching off. */
  rowsMax: number;
  /** How long a request that had to wait anyway may wait on for a fuller batch, 0 to `latencyBudgetMsMax`. */
  latencyBudgetMs: number;
  /** Runs of the session at a time; requests wait when so many are under way. Default 1. */
  concurrency?: number;
}

type Outputs = Record<string, Tensor>;

interface Waiting {
  inputs: Record<string, Tensor>;
  rows: number;
  /** Requests with the same one may share a run; `undefined` runs alone. */
  key: string | undefined;
  queuedMs: number;
  /** By the clock: when it goes, full batch or not. */
  dueMs: number;
  resolve(outputs: Outputs): void;
  reject(error: unknown): void;
}

/**
 * A session whose waiting requests run as one batch. A request that finds the model free runs at once and alone. Only a
 * model that is seen to give each row the same bits in a batch as alone is batched; another is returned as it is.
 */
export async function withBatching(session: Session, options: BatchingOptions): Promise<Session> {
  if (options.rowsMax <= 1 || !(await isRowwise(session, options.rowsMax))) return session;
  return createBatchingSession(session, options);
}

export function createBatchingSession(session: Session, options: BatchingOptions): Session {
  const { model, metrics, clock, rowsMax, latencyBudgetMs, concurrency = 1 } = options;
  const batchRows = metrics.histogram(
    'selvage_inference_batch_rows',
    'Rows that one run of the model held.',
    [1, 2, 4, 8, 16, 32],
  );
  const queueTime = metrics.histogram(
    'selvage_inference_queue_seconds',
    'Time that a request waited for the model.',
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  );
  const observeRows = batchRows.of({ model });
  const observeQueue = queueTime.of({ model });
  let waiting: Waiting[] = [];
  let running = 0;
  const counted = { runs: 0, queuedMs: 0 };
  let hasEnded = false;
  let cancelTimer: CancelTimer | undefined;
  let onDrained: (() => void) | undefined;

  function run(inputs: Record<string, Tensor>): Promise<Outputs> {
    if (hasEnded) throw new ModelClosed();
    if (waiting.length >= waitingMax) throw unavailable(`${waitingMax} requests wait already; try again`);
    const rows = rowsOf(inputs);
    if (running < concurrency && waiting.length === 0) return runAtOnce(inputs, rows);
    const key = rows > 0 && rows < rowsMax ? keyOf(inputs) : undefined;
    const dueMs = clock.nowMs() + latencyBudgetMs;
    return new Promise((resolve, reject) => {
      waiting.push({ inputs, rows, key, queuedMs: performance.now(), dueMs, resolve, reject });
      startNext();
    });
  }

  function startNext(): void {
    if (running >= concurrency || waiting.length === 0) return;
    cancelTimer?.();
    const batch = nextBatch(waiting, rowsMax);
    const restMs = waiting[0]!.dueMs - clock.nowMs();
    if (restMs > 0 && isRoomLeft(batch) && !hasEnded) {
      cancelTimer = clock.after(restMs, startNext);
      return;
    }
    const taken = new Set(batch);
    waiting = waiting.filter((entry) => !taken.has(entry));
    start(batch);
  }

  /** What finds the model free: with as little around the run as can be. */
  async function runAtOnce(inputs: Record<string, Tensor>, rows: number): Promise<Outputs> {
    running += 1;
    counted.runs += 1;
    observeRows(rows);
    observeQueue(0);
    try {
      return await session.run(inputs);
    } finally {
      ended();
    }
  }

  function start(batch: Waiting[]): void {
    running += 1;
    // It settles each entry, and throws nothing itself.
    void runBatch(batch).finally(ended);
  }

  function ended(): void {
    running -= 1;
    if (running === 0 && waiting.length === 0) onDrained?.();
    startNext();
  }

  function isRoomLeft(batch: Waiting[]): boolean {
    return batch[0]!.key !== undefined && countRows(batch) < rowsMax;
  }

  async function runBatch(batch: Waiting[]): Promise<void> {
    const nowMs = performance.now();
    observeRows(countRows(batch));
    for (const { queuedMs } of batch) {
      counted.queuedMs += nowMs - queuedMs;
      observeQueue((nowMs - queuedMs) / 1000);
    }
    counted.runs += 1;
    if (batch.length === 1) return runAlone(batch[0]!);
    try {
      const outputs = await session.run(joinRows(batch.map(({ inputs }) => inputs)));
      const parts = splitRows(
        outputs,
        batch.map(({ rows }) => rows),
      );
      for (const [i, { resolve }] of batch.entries()) resolve(parts[i]!);
    } catch (error) {
      if (isStatus(error, 'ServiceUnavailable')) for (const { reject } of batch) reject(error);
      // One request's values may have failed the run: the others must not pay for it.
      else for (const entry of batch) await runAlone(entry);
    }
  }

  async function runAlone({ inputs, resolve, reject }: Waiting): Promise<void> {
    try {
      resolve(await session.run(inputs));
    } catch (error) {
      reject(error);
    }
  }

  return {
    inputs: session.inputs,
    outputs: session.outputs,
    run,
    counted: () => counted,
    async close() {
      hasEnded = true;
      startNext();
      if (running > 0 || waiting.length > 0) await new Promise<void>((resolve) => (onDrained = resolve));
      await session.close();
    },
  };
}

/** The first that waits, with those behind it that fit to it. */
function nextBatch(waiting: Waiting[], rowsMax: number): Waiting[] {
  const first = waiting[0]!;
  const batch = [first];
  if (first.key === undefined) return batch;
  let { rows } = first;
  for (const entry of waiting.slice(1)) {
    if (rows === rowsMax) break;
    if (entry.key !== first.key || rows + entry.rows > rowsMax) continue;
    batch.push(entry);
    rows += entry.rows;
  }
  return batch;
}

function countRows(batch: Waiting[]): number {
  return batch.reduce((sum, { rows }) => sum + rows, 0);
}

/** The shapes without their rows. */
function keyOf(inputs: Record<string, Tensor>): string {
  const names = Object.keys(inputs).sort();
  return names.map((name) => `${name}:${inputs[name]!.shape.slice(1)}`).join(';');
}

function unavailable(message: string): StatusError {
  return new StatusError('ServiceUnavailable', message, { details: { retryAfterSeconds: 1 } });
}
