import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { StatusError } from '../../base/errors.ts';
import type { PreprocessStep } from '../../ml/export/steps.ts';
import type { Tensor } from '../datatype.ts';
import type { TensorMetadata } from '../inference-protocol.ts';
import { pixelsOf } from './decode.ts';
import { preprocess } from './preprocess.ts';

export interface ImageJob {
  id: number;
  images: Uint8Array[];
  steps: PreprocessStep[];
  input: TensorMetadata;
}

export type ImageReply = { id: number; tensor: Tensor } | { id: number; problem: string };

/** Images that wait for a worker; more are refused. */
export const imagesWaitingMax = 128;
/** Fewer pixels are decoded at once: that takes less than a millisecond. */
export const inlinePixelsMax = 96 * 96;
/** Also a small picture can be made of very many passes. */
export const inlineBytesMax = 64 * 1024;
/** Longer than photographs take; the worker is given up with what it does. */
const jobMsMax = 120_000;
const workersMax = 2;

interface Waiting {
  worker: Worker;
  resolve: (tensor: Tensor) => void;
  reject: (error: Error) => void;
}

/** Worker threads for large images, started when the first one comes. */
export interface ImagePool {
  /** Throws BadRequest for what is no such image, ServiceUnavailable beyond `imagesWaitingMax`. */
  preprocess(images: Uint8Array[], steps: PreprocessStep[], input: TensorMetadata): Promise<Tensor>;
  close(): Promise<void>;
}

export function createImagePool(options: { jobMsMax?: number } = {}): ImagePool {
  const limitMs = options.jobMsMax ?? jobMsMax;
  const workers: Worker[] = [];
  const waiting = new Map<number, Waiting>();
  const timers = new Map<Worker, NodeJS.Timeout>();
  let lastId = 0;

  function start(): Worker {
    const worker = new Worker(new URL('./image-worker.ts', import.meta.url));
    worker.unref();
    worker.on('message', (reply: ImageReply) => {
      const entry = waiting.get(reply.id);
      waiting.delete(reply.id);
      watch(worker);
      if ('tensor' in reply) entry?.resolve(reply.tensor);
      else entry?.reject(new StatusError('BadRequest', reply.problem));
    });
    worker.on('error', (error: Error) => lost(worker, error.message));
    worker.on('exit', () => lost(worker, 'it ended'));
    workers.push(worker);
    return worker;
  }

  /** The first job of a worker is the one that it does: from its reply on it is the next one's time. */
  function watch(worker: Worker): void {
    clearTimeout(timers.get(worker));
    if ([...waiting.values()].some((entry) => entry.worker === worker))
      timers.set(worker, setTimeout(() => giveUp(worker), limitMs).unref());
    else timers.delete(worker);
  }

  function giveUp(worker: Worker): void {
    const [id, slow] = [...waiting].find(([, entry]) => entry.worker === worker)!;
    waiting.delete(id);
    slow.reject(new StatusError('BadRequest', `the image takes longer than ${limitMs / 1000} s to decode`));
    lost(worker, 'it was given up for an image before this one');
    void worker.terminate();
  }

  function lost(worker: Worker, why: string): void {
    clearTimeout(timers.get(worker));
    timers.delete(worker);
    if (workers.includes(worker)) workers.splice(workers.indexOf(worker), 1);
    for (const [id, entry] of waiting) {
      if (entry.worker !== worker) continue;
      waiting.delete(id);
      entry.reject(new StatusError('ServiceUnavailable', `the image decoder failed: ${why}`));
    }
  }

  function leastBusy(): Worker {
    if (workers.length < Math.min(workersMax, availableParallelism())) return start();
    const load = (worker: Worker) => [...waiting.values()].filter((entry) => entry.worker === worker).length;
    return workers.toSorted((a, b) => load(a) - load(b))[0]!;
  }

  return {
    async preprocess(images, steps, input) {
      const pixels = images.reduce((sum, image) => sum + pixelsOf(image), 0);
      const bytes = images.reduce((sum, image) => sum + image.length, 0);
      if (pixels <= inlinePixelsMax && bytes <= inlineBytesMax) return preprocess(images, steps, input);
      if (waiting.size >= imagesWaitingMax)
        throw new StatusError('ServiceUnavailable', `${imagesWaitingMax} images wait already; try again`, {
          details: { retryAfterSeconds: 1 },
        });
      const worker = leastBusy();
      const id = ++lastId;
      const answer = Promise.withResolvers<Tensor>();
      waiting.set(id, { worker, resolve: answer.resolve, reject: answer.reject });
      worker.postMessage({ id, images, steps, input } satisfies ImageJob);
      if (!timers.has(worker)) watch(worker);
      return answer.promise;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
