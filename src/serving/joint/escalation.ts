import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Metrics } from '../../base/metrics.ts';
import { fromBytes, isDatatype, type Tensor, toBytes } from '../datatype.ts';
import { parseObject } from '../inference-protocol.ts';

/** After a failure the bigger model is left alone for so long. */
export const linkDownMs = 5_000;
/** Escalated requests under way at once. */
export const escalatingMax = 32;
/** Of the bigger model's answer. */
export const answerBytesMax = 16 * 1024 * 1024;
/** A server that gets this never escalates the request further, so that two can't play ping-pong. */
export const escalatedHeader = 'selvage-escalated';

/** Why an answer is the bigger model's, or why it is not although its confidence was too low. */
export type EscalationOutcome = 'escalated' | 'over budget' | 'link down' | 'incompatible';

export interface EscalationOptions {
  /** The infer path of the bigger model; `{model}` stands for the asking model's name. */
  url: string;
  /** Rows with a lower confidence are escalated. */
  below: number;
  /** Requests a second, with a burst of as many. */
  ratePerSecond: number;
  timeoutMs: number;
  clock: Clock;
  metrics: Metrics;
  fetch?: typeof fetch;
}

export interface Escalation {
  below: number;
  /** The bigger model's outputs for these rows, or why there are none: the caller's own answer stands. */
  ask(
    model: string,
    inputs: Record<string, Tensor>,
  ): Promise<{ outcome: EscalationOutcome; outputs?: Record<string, Tensor> }>;
}

/** Joint inference: what the model here is unsure of is asked of a bigger one elsewhere, within a budget. */
export function createEscalation(options: EscalationOptions): Escalation {
  const { url, below, ratePerSecond, timeoutMs, clock, metrics } = options;
  const burst = Math.max(1, ratePerSecond);
  const total = metrics.counter(
    'selvage_inference_escalations_total',
    'Requests below the confidence, by outcome.',
  );
  let tokens = burst;
  let filledMs = clock.nowMs();
  let downUntilMs = 0;
  let underWay = 0;

  function takeToken(): boolean {
    const nowMs = clock.nowMs();
    tokens = Math.min(burst, tokens + (Math.max(0, nowMs - filledMs) / 1000) * ratePerSecond);
    filledMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  }

  async function send(model: string, inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
    const { body, headLength } = writeRequest(inputs);
    const call = options.fetch ?? globalThis.fetch;
    const response = await call(url.replaceAll('{model}', encodeURIComponent(model)), {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': String(headLength),
        [escalatedHeader]: '1',
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = await readBounded(response);
    if (!response.ok)
      throw new Error(`it answered ${response.status}: ${Buffer.from(answer.subarray(0, 200))}`);
    return readAnswer(answer, Number(response.headers.get('inference-header-content-length')) || undefined);
  }

  async function tryAsk(model: string, inputs: Record<string, Tensor>): ReturnType<Escalation['ask']> {
    if (clock.nowMs() < downUntilMs) return { outcome: 'link down' };
    if (underWay >= escalatingMax || !takeToken()) return { outcome: 'over budget' };
    underWay += 1;
    try {
      return { outcome: 'escalated', outputs: await send(model, inputs) };
    } catch (error) {
      downUntilMs = clock.nowMs() + linkDownMs;
      console.error(`escalation of "${model}" to ${url} failed: ${messageOf(error)}`);
      return { outcome: 'link down' };
    } finally {
      underWay -= 1;
    }
  }

  return {
    below,
    async ask(model, inputs) {
      const result = await tryAsk(model, inputs);
      total.increment({ model, outcome: result.outcome });
      return result;
    },
  };
}

/**
 * Own outputs with the rows at `rows` taken from the bigger model's, output by output: by name, or where there is one only,
 * the first that looks alike. `undefined` if they don't fit.
 */
export function mergeRows(
  own: Record<string, Tensor>,
  bigger: Record<string, Tensor>,
  rows: number[],
): Record<string, Tensor> | undefined {
  const merged: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(own)) {
    const fits = ({ datatype, shape }: Tensor) =>
      datatype === tensor.datatype &&
      shape[0] === rows.length &&
      String(shape.slice(1)) === String(tensor.shape.slice(1));
    const others = Object.keys(own).length === 1 ? Object.values(bigger) : [];
    const from = [bigger[name], ...others].find((candidate) => candidate && fits(candidate));
    if (!from) return undefined;
    const size = tensor.data.length / tensor.shape[0]!;
    // One datatype, so one kind of array; Float32Array stands for it.
    const data = tensor.data.slice() as Float32Array;
    const values = from.data as Float32Array;
    for (const [i, row] of rows.entries())
      for (let k = 0; k < size; k++) data[row * size + k] = values[i * size + k]!;
    merged[name] = { ...tensor, data };
  }
  return merged;
}

function writeRequest(inputs: Record<string, Tensor>) {
  const parts: Uint8Array[] = [];
  const described = Object.entries(inputs).map(([name, { datatype, shape, data }]) => {
    const bytes = toBytes(data);
    parts.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const head = Buffer.from(JSON.stringify({ inputs: described, parameters: { binary_data_output: true } }));
  return { body: Buffer.concat([head, ...parts]), headLength: head.length };
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > answerBytesMax) throw new Error(`its answer has more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** An infer answer's binary outputs; those in JSON are passed over, since binary ones were asked for. */
function readAnswer(body: Uint8Array, headLength: number | undefined): Record<string, Tensor> {
  const head = parseObject(body.subarray(0, headLength));
  let binary = body.subarray(headLength ?? body.length);
  const outputs: Record<string, Tensor> = {};
  for (const output of (head.outputs ?? []) as Record<string, unknown>[]) {
    const { name, datatype, shape, parameters } = output as {
      name: string;
      datatype: unknown;
      shape: number[];
      parameters?: { binary_data_size?: number };
    };
    const size = parameters?.binary_data_size;
    if (size === undefined || !isDatatype(datatype)) continue;
    const count = shape.reduce((product, extent) => product * extent, 1);
    outputs[name] = { datatype, shape, data: fromBytes(datatype, binary.subarray(0, size), count, name) };
    binary = binary.subarray(size);
  }
  return outputs;
}
