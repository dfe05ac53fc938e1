import { Worker } from 'node:worker_threads';
import { StatusError } from '../base/errors.ts';
import type { Tensor } from './datatype.ts';
import {
  ModelClosed,
  type OnnxValue,
  type Session,
  type SessionOptions,
  toMetadata,
  waitingMax,
} from './session.ts';

export type WorkerReply =
  | { kind: 'loaded'; inputs: OnnxValue[]; outputs: OnnxValue[] }
  | { kind: 'result'; id: number; outputs: Record<string, Tensor> }
  | { kind: 'failed'; id: number; message: string };

interface Pending {
  resolve: (outputs: Record<string, Tensor>) => void;
  reject: (error: Error) => void;
}

/** A session in a worker thread of its own. Throws BadRequest when ONNX Runtime can't load the bytes. */
export async function startWorkerSession({ onnx, threads }: SessionOptions): Promise<Session> {
  const worker = new Worker(new URL('./session-worker.ts', import.meta.url), {
    workerData: { onnx, threads },
  });
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let hasEnded = false;
  let onDrained: (() => void) | undefined;
  const loaded = await new Promise<Extract<WorkerReply, { kind: 'loaded' }>>((resolve, reject) => {
    worker.once('error', (error: Error) => {
      const message = `ONNX Runtime can't load the model: ${error.message}`;
      reject(new StatusError('BadRequest', message, { cause: error }));
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
    if (reply.kind === 'result') waiting?.resolve(reply.outputs);
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
      if (hasEnded) throw new ModelClosed();
      if (pending.size >= waitingMax) {
        throw new StatusError('ServiceUnavailable', `${waitingMax} requests wait already; try again`, {
          details: { retryAfterSeconds: 1 },
        });
      }
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, inputs: own(inputs) });
      });
    },
    async close() {
      hasEnded = true;
      if (pending.size > 0) await new Promise<void>((resolve) => (onDrained = resolve));
      await worker.terminate();
    },
  };
}

/** Without the rest of the buffers that the tensors are views of, which would travel with them. */
function own(inputs: Record<string, Tensor>): Record<string, Tensor> {
  const copies: Record<string, Tensor> = {};
  for (const name in inputs) {
    const { data } = inputs[name]!;
    const isWhole = Array.isArray(data) || data.byteLength === data.buffer.byteLength;
    copies[name] = isWhole ? inputs[name]! : { ...inputs[name]!, data: data.slice() };
  }
  return copies;
}
