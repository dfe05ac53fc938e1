import { StatusError } from '../base/errors.ts';
import { datatypeOf, type Tensor } from './datatype.ts';
import type { TensorMetadata } from './inference-protocol.ts';

/** What may wait for a model; more is refused, since it would only grow old. */
export const waitingMax = 256;

/** A loaded ONNX model. */
export interface Session {
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
  /**
   * Inputs that were checked against `inputs`. Throws ServiceUnavailable beyond `waitingMax`, ModelClosed after `close`,
   * InternalError if the run fails.
   */
  run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  /** Runs so far, and how long requests waited for them in all; of a session that keeps requests waiting. */
  counted?(): { runs: number; queuedMs: number };
  /** Ends it after what runs and waits already. */
  close(): Promise<void>;
}

/** The session was closed before the run: whoever has its successor may run there instead. */
export class ModelClosed extends StatusError {
  constructor() {
    super('ServiceUnavailable', 'the model is being unloaded; try again', {
      details: { retryAfterSeconds: 1 },
    });
  }
}

export interface SessionOptions {
  /** A plain ONNX model. */
  onnx: Uint8Array;
  /** What one run may use. */
  threads: number;
  /** A run that is expected to take longer goes to a worker thread; 0: all do. Default `inlineMsDefault`. */
  inlineMsMax?: number;
  /** Runs at a time, each in a worker with weights of its own. Default 1. */
  concurrency?: number;
}

/** How long one run may keep the event loop: about what parsing a large request takes. */
export const inlineMsDefault = 2;

/**
 * Loads ONNX bytes. Throws BadRequest when ONNX Runtime can't load them. A run blocks the thread that it is called from,
 * so it has a worker of its own; but the way there and back takes as long as a small model's run, so that runs which are
 * known to be short stay on this thread (`inline-session.ts`).
 */
export async function startSession(options: SessionOptions): Promise<Session> {
  const { inlineMsMax = inlineMsDefault } = options;
  const worker = await startWorkers(options);
  if (inlineMsMax === 0) return worker;
  const { withInlineRuns } = await import('./inline-session.ts');
  return withInlineRuns(worker, { ...options, inlineMsMax });
}

async function startWorkers({ concurrency = 1, ...options }: SessionOptions): Promise<Session> {
  const { startWorkerSession } = await import('./worker-session.ts');
  // One after the other: what the first can't load, the others can't.
  const workers: Session[] = [];
  while (workers.length < concurrency) workers.push(await startWorkerSession(options));
  if (workers.length === 1) return workers[0]!;
  const { poolSessions } = await import('./session-pool.ts');
  return poolSessions(workers);
}

/** An input or output as ONNX Runtime describes it; text stands for a free extent. */
export interface OnnxValue {
  name: string;
  type: string;
  shape: (number | string)[];
}

export function toMetadata({ name, type, shape }: OnnxValue): TensorMetadata {
  return {
    name,
    datatype: datatypeOf(type),
    shape: shape.map((extent) => (typeof extent === 'number' ? extent : -1)),
  };
}
