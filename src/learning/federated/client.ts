import { type Clock, sleep } from '../../base/clock.ts';
import { isStatus, messageOf, StatusError, type StatusReason } from '../../base/errors.ts';
import type { Task } from './coordinator.ts';
import { figuresHeader, samplesHeader } from './protocol.ts';
import type { DataForm } from './round-folder.ts';
import type { Figures, ServingFigures } from './rounds.ts';
import { decodeUpdate, encodeUpdate, type Parameter, type UpdateEncoding } from './update-file.ts';
import { clipToNorm } from './vector.ts';

/** Between two questions for a task; well below the coordinator's `presenceMs`. */
export const askIntervalMs = 1_000;
const heartbeatMs = 5_000;
const callTimeoutMs = 120_000;
const retryMsMax = 10_000;

/** What trains and measures, on the examples of this node. */
export interface LocalTrainer {
  parameters: readonly Parameter[];
  form: DataForm;
  samples: number;
  /** On examples that it does not train on. */
  evaluate(weights: Float32Array): Promise<Figures>;
  /** The model in service on the same examples, given as an ONNX file; absent where nobody compares. */
  measureServing?: ((onnx: Uint8Array) => Promise<Record<string, number>>) | undefined;
  /** The weights after this round's epochs. */
  train(weights: Float32Array, round: number, signal: AbortSignal): Promise<Float32Array>;
}

export interface ClientOptions {
  /** Where the coordinator is, e.g. http://job-coordinator. */
  url: string;
  name: string;
  token: string;
  trainer: LocalTrainer;
  clipNorm: number | undefined;
  staleness: number;
  encoding: UpdateEncoding;
  clock: Clock;
  say: (text: string) => void;
  signal: AbortSignal;
  fetch?: typeof fetch;
}

/** Takes part in a federated training until it is over: of what is learned here only the change of the weights
 * leaves, with the number of examples and the figures of the test set. Without a link it tries again for as long as
 * it takes. @throws StatusError where the coordinator refuses this client for good. */
export async function takePart(options: ClientOptions): Promise<void> {
  const { trainer, clock, say, signal } = options;
  const calls = createCalls(options);
  let hasJoined = false;
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (!hasJoined) await calls.join(trainer.form);
      hasJoined = true;
      const task = await calls.task();
      if (failures > 0) say('the coordinator is back');
      failures = 0;
      if (task.kind === 'done') return;
      if (task.kind === 'train') await trainRound(task.round);
      else if (task.kind === 'evaluate') await evaluateRound(task.round);
      else await sleep(clock, askIntervalMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!isStatus(error, 'ServiceUnavailable')) throw error;
      failures += 1;
      if (failures === 1) say(`the coordinator can't be reached: ${messageOf(error)}`);
      await sleep(clock, retryMs(failures - 1), signal);
    }
  }

  async function trainRound(round: number): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, signal]);
    void watch(round, over);
    try {
      const weights = decodeUpdate(await calls.weights(round), trainer.parameters);
      const figures = await trainer.evaluate(weights);
      const trained = await trainer.train(weights, round, either);
      if (either.aborted) return say(`round ${round}: it is over, and this client was not done`);
      const delta = trained.map((weight, index) => weight - weights[index]!);
      const kept = options.clipNorm === undefined ? delta : clipToNorm(delta, options.clipNorm);
      const bytes = encodeUpdate(kept, trainer.parameters, options.encoding);
      // What was learned is not given up for a link that is down: it may still count as a late update.
      await untilReached(() => calls.update(round, bytes, trainer.samples, figures), either);
      say(`round ${round}: trained on ${trainer.samples} examples, sent ${bytes.length} bytes`);
    } catch (error) {
      // The round may be over by now, or this update was refused: the next task comes all the same.
      if (!isStatus(error, 'Conflict') && !isStatus(error, 'Invalid')) throw error;
      say(`round ${round}: ${error.message}`);
      await sleep(clock, askIntervalMs, signal);
    } finally {
      over.abort();
    }
  }

  async function compared(measure: NonNullable<LocalTrainer['measureServing']>): Promise<ServingFigures> {
    try {
      let onnx: Uint8Array | undefined;
      await untilReached(async () => {
        onnx = await calls.serving();
      }, signal);
      return { metrics: await measure(onnx!) };
    } catch (error) {
      if (signal.aborted) throw error;
      say(`the model in service can't be measured: ${messageOf(error)}`);
      return { problem: messageOf(error) };
    }
  }

  async function untilReached(action: () => Promise<void>, until: AbortSignal): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await action();
      } catch (error) {
        if (until.aborted || !isStatus(error, 'ServiceUnavailable')) throw error;
        if (tries === 0) say(`the coordinator can't be reached: ${messageOf(error)}`);
        await sleep(clock, retryMs(tries), until);
      }
    }
  }

  /** Shows the coordinator that this client is at work, and ends the work once nobody wants it any more. */
  async function watch(round: number, over: AbortController): Promise<void> {
    for (;;) {
      await sleep(clock, heartbeatMs, over.signal);
      if (over.signal.aborted) return;
      const task = await calls.task().catch(() => undefined);
      if (task && (task.kind === 'done' || task.round - round > options.staleness)) over.abort();
    }
  }

  async function evaluateRound(round: number): Promise<void> {
    try {
      const weights = decodeUpdate(await calls.weights(round), trainer.parameters);
      const measured = await trainer.evaluate(weights);
      const serving = trainer.measureServing && (await compared(trainer.measureServing));
      const figures = { ...measured, ...(serving && { serving }) };
      await untilReached(() => calls.figures(round, figures), signal);
      say('measured the final weights');
    } catch (error) {
      if (!isStatus(error, 'Conflict')) throw error;
      await sleep(clock, askIntervalMs, signal);
    }
  }
}

const retryMs = (tries: number): number => Math.min(retryMsMax, askIntervalMs * 2 ** tries);

function createCalls({ url, name, token, signal, fetch: send = fetch }: ClientOptions) {
  async function call(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const response = await send(`${url}/v1/clients/${name}/${path}`, {
      ...init,
      method,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]),
    }).catch((cause: unknown) => {
      throw new StatusError('ServiceUnavailable', messageOf(cause), { cause });
    });
    if (response.ok) return response;
    const text = await response.text().catch(() => '');
    throw new StatusError(reasons[response.status] ?? 'ServiceUnavailable', messageIn(text, response.status));
  }
  const read = async <T>(response: Response, as: (response: Response) => Promise<T>): Promise<T> =>
    as(response).catch((cause: unknown) => {
      throw new StatusError('ServiceUnavailable', messageOf(cause), { cause });
    });

  return {
    join: async (form: DataForm) => {
      await call('POST', 'data', { body: JSON.stringify(form) });
    },
    // The coordinator's own type.
    task: async (): Promise<Task> =>
      read(await call('GET', 'task'), (response) => response.json() as Promise<Task>),
    weights: async (round: number): Promise<Uint8Array> =>
      read(await call('GET', `rounds/${round}/weights`), (response) => response.bytes()),
    serving: async (): Promise<Uint8Array> =>
      read(await call('GET', 'serving'), (response) => response.bytes()),
    update: async (round: number, bytes: Uint8Array, samples: number, figures: Figures) => {
      const headers = { [samplesHeader]: String(samples), [figuresHeader]: JSON.stringify(figures) };
      // A safetensors file is made in an ArrayBuffer of its own.
      await call('PUT', `rounds/${round}/update`, { body: bytes as Uint8Array<ArrayBuffer>, headers });
    },
    figures: async (round: number, figures: Figures) => {
      await call('PUT', `rounds/${round}/figures`, { body: JSON.stringify(figures) });
    },
  };
}

const reasons: Record<number, StatusReason> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  404: 'NotFound',
  409: 'Conflict',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
};

function messageIn(text: string, status: number): string {
  try {
    return (JSON.parse(text) as { error: string }).error;
  } catch {
    return `HTTP ${status}`;
  }
}
