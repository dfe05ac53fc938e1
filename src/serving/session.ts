import { Worker } from 'node:worker_threads';
import { StatusError } from '../base/errors.ts';
import { datatypeOf, type Tensor } from './datatype.ts';
import type { TensorMetadata } from './inference-protocol.ts';

/** What may wait for the worker; more is refused, since it would only grow old. */
export const waitingMax = 256;

/** A loaded ONNX model. It runs in a worker thread, because a run blocks the thread that it is called from. */
export interface Session {
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
  /** Inputs that were checked against `inputs`. Throws ServiceUnavailable beyond `waitingMax`, InternalError if the run fails. */
  run(inputs: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  /** Ends it after what runs and waits already; later runs get ServiceUnavailable. */
  close(): Promise<void>;
}

export interface WorkerTensor {
  type: string;
  dims: number[];
  data: Tensor['data'];
}

export type WorkerReply =
  | {
      kind: 'loaded';
      inputs: { name: string; type: string; shape: (number | string)[] }[];
      outputs: { name: string; type: string; shape: (number | string)[] }[];
    }
  | { kind: 'result'; id: number; outputs: Record<string, WorkerTensor> }
  | { kind: 'failed'; id: number; message: string };

/** Loads ONNX bytes; `threads` bounds what one run uses. Throws BadRequest when ONNX Runtime can't load them. */
export async function startSession(options: { onnx: Uint8Array; threads: number }): Promise<Session> {
  const worker = new Worker(new URL('./session-worker.ts', import.meta.url), { workerData: options });
  const pending = new Map<
    number,
    { resolve: (outputs: Record<string, Tensor>) => void; reject: (error: Error) => void }
  >();
  let lastId = 0;
  let hasEnded = false;
  let onDrained: (() => void) | undefined;
  const loaded = await new Promise<Extract<WorkerReply, { kind: 'loaded' }>>((resolve, reject) => {
    worker.once('error', (error: Error) => {
      reject(
        new StatusError('BadRequest', `ONNX Runtime can't load the model: ${error.message}`, {
          cause: error,
        }),
      );
    });
    worker.once('message', resolve);
  });
  worker.removeAllListeners('error');
  worker.on('error', (error: Error) => failAll(`the model's worker ended: ${error.message}`));
  worker.on('exit', () => failAll("the model's worker ended"));
  worker.on('message', (reply: WorkerReply) => {
    if (reply.kind === 'loaded') return;
    const waiting = pending.get(reply.id);
    pending.delete(reply.id);
    if (reply.kind === 'result') waiting?.resolve(fromWorker(reply.outputs));
    else waiting?.reject(new StatusError('InternalError', `the model failed: ${reply.message}`));
    if (pending.size === 0) onDrained?.();
  });

  function failAll(message: string): void {
    for (const { reject } of pending.values()) reject(new StatusError('ServiceUnavailable', message));
    pending.clear();
    hasEnded = true;
    onDrained?.();
  }

  return {
    inputs: loaded.inputs.map(toMetadata),
    outputs: loaded.outputs.map(toMetadata),
    run(inputs) {
      if (hasEnded)
        throw new StatusError('ServiceUnavailable', 'the model is being unloaded; try again', {
          details: { retryAfterSeconds: 1 },
        });
      if (pending.size >= waitingMax) {
        throw new StatusError('ServiceUnavailable', `${waitingMax} requests wait already; try again`, {
          details: { retryAfterSeconds: 1 },
        });
      }
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, inputs });
      });
    },
    async close() {
      hasEnded = true;
      if (pending.size > 0) await new Promise<void>((resolve) => (onDrained = resolve));
      await worker.terminate();
    },
  };
}

function toMetadata({
  name,
  type,
  shape,
}: {
  name: string;
  type: string;
  shape: (number | string)[];
}): TensorMetadata {
  return {
    name,
    datatype: datatypeOf(type),
    shape: shape.map((extent) => (typeof extent === 'number' ? extent : -1)),
  };
}

function fromWorker(outputs: Record<string, WorkerTensor>): Record<string, Tensor> {
  const entries = Object.entries(outputs).map(([name, { type, dims, data }]) => [
    name,
    { datatype: datatypeOf(type), shape: dims, data },
  ]);
  return Object.fromEntries(entries);
}
