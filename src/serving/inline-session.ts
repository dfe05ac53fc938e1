import { StatusError } from '../base/errors.ts';
import type { Tensor } from './datatype.ts';
import { type OnnxRuns, openOnnx } from './onnx-runs.ts';
import { rowsOf, sampleRow } from './rows.ts';
import { ModelClosed, type Session } from './session.ts';

/** A second copy of the weights is kept for models up to this size. */
export const inlineBytesMax = 32 * 1024 * 1024;
const trialRuns = 5;
/** Share of the newest time in the running mean of how long a row takes. */
const newestShare = 0.1;

/**
 * A session that runs on this thread what is expected to take at most `inlineMsMax`, by the time that a row took before,
 * and hands the rest to `worker`. A model whose inputs are free in more than the batch axis always goes to the worker, for
 * its time can't be foretold; so does one that is large or slow.
 */
export async function withInlineRuns(
  worker: Session,
  options: { onnx: Uint8Array; threads: number; inlineMsMax: number },
): Promise<Session> {
  const { onnx, threads, inlineMsMax } = options;
  const isFree = worker.inputs.some(({ shape }) => shape.some((extent, axis) => axis > 0 && extent === -1));
  if (isFree || onnx.length > inlineBytesMax) return worker;
  const sample = Object.fromEntries(worker.inputs.map((input) => [input.name, sampleRow(input, 1)]));
  // Tried there first: this thread must not find out how slow a model is.
  if (!((await fastestMs(() => worker.run(sample))) <= 2 * inlineMsMax)) return worker;
  const inline = await openOnnx(onnx, threads);
  const rowMs = await fastestMs(() => inline.run(sample));
  if (rowMs <= inlineMsMax) return createInlineSession(worker, inline, { rowMs, inlineMsMax });
  await inline.release();
  return worker;
}

export function createInlineSession(
  worker: Session,
  inline: OnnxRuns,
  limits: { rowMs: number; inlineMsMax: number },
): Session {
  let { rowMs } = limits;
  let running = 0;
  let hasEnded = false;
  let onDrained: (() => void) | undefined;

  async function runInline(inputs: Record<string, Tensor>, rows: number) {
    running += 1;
    try {
      const startMs = performance.now();
      const outputs = await inline.run(inputs);
      const tookMs = (performance.now() - startMs) / rows;
      // A run that waited for others' turns says nothing of the model.
      if (running === 1) rowMs += newestShare * (tookMs - rowMs);
      return outputs;
    } catch (error) {
      throw new StatusError('InternalError', `the model failed: ${(error as Error).message}`);
    } finally {
      running -= 1;
      if (running === 0) onDrained?.();
    }
  }

  return {
    inputs: worker.inputs,
    outputs: worker.outputs,
    run(inputs) {
      if (hasEnded) throw new ModelClosed();
      const rows = rowsOf(inputs) || 1;
      // More at once would add up; one stalled measurement must not send all to the worker for ever.
      if (running === 0 && rows * Math.min(rowMs, limits.rowMs * 4) <= limits.inlineMsMax)
        return runInline(inputs, rows);
      return worker.run(inputs);
    },
    async close() {
      hasEnded = true;
      if (running > 0) await new Promise<void>((resolve) => (onDrained = resolve));
      await Promise.all([inline.release(), worker.close()]);
    },
  };
}

/** The shortest of some runs after the first, which warms up; NaN if the model doesn't take the sample. */
async function fastestMs(run: () => Promise<unknown>): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  try {
    await run();
    for (let i = 0; i < trialRuns; i++) {
      const startMs = performance.now();
      await run();
      fastest = Math.min(fastest, performance.now() - startMs);
    }
    return fastest;
  } catch {
    return Number.NaN;
  }
}
