import { encodeModel } from '../onnx/codec.ts';
import type { ModelProto, ValueInfoProto } from '../onnx/schema.ts';
import type { Runtime, Session } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';
import { type Histogram, histogramBins } from './ranges.ts';

/** Examples that the model will meet: x [count, ...]. */
export interface CalibrationOptions {
  x: Tensor;
  batchSize: number;
}

/** Runs the float model over the calibration set, and counts what its activations are. Two passes: the first finds
 * the extremes between which the second counts. */
export async function calibrate(
  runtime: Runtime,
  model: ModelProto,
  names: string[],
  options: CalibrationOptions,
): Promise<Map<string, Histogram>> {
  const { session, input, computed } = await open(runtime, model, names);
  const histograms = new Map<string, Histogram>(
    names.map((name) => [name, { low: Infinity, high: -Infinity, counts: new Float64Array(histogramBins) }]),
  );
  try {
    for await (const found of batches(session, input, computed, options)) {
      for (const [name, data] of found) widen(histograms.get(name)!, data, name);
    }
    for await (const found of batches(session, input, computed, options)) {
      for (const [name, data] of found) count(histograms.get(name)!, data);
    }
  } finally {
    await session.release();
  }
  return histograms;
}

/** The model with its activations among its outputs. */
async function open(runtime: Runtime, model: ModelProto, names: string[]) {
  const graph = model.graph!;
  const given = new Set((graph.initializer ?? []).map(({ name }) => name));
  const [input, ...others] = (graph.input ?? []).filter(({ name }) => !given.has(name));
  if (!input || others.length > 0) throw new Error('Only models of one input can be calibrated');
  const known = new Set([...graph.output!, input].map(({ name }) => name));
  const more: ValueInfoProto[] = names
    .filter((name) => !known.has(name))
    .map((name) => ({ name, type: { tensorType: { elemType: 1 } } }));
  const bytes = encodeModel({ ...model, graph: { ...graph, output: [...graph.output!, ...more] } });
  return { session: await runtime.open(bytes, {}), input: input.name!, computed: names };
}

async function* batches(
  session: Session,
  input: string,
  names: string[],
  { x, batchSize }: CalibrationOptions,
): AsyncGenerator<[string, Float32Array][]> {
  const [count, ...shape] = x.shape as [number, ...number[]];
  const size = x.data.length / count;
  for (let start = 0; start < count; start += batchSize) {
    const end = Math.min(start + batchSize, count);
    const batch: Tensor = {
      dtype: x.dtype,
      shape: [end - start, ...shape],
      data: x.data.slice(start * size, end * size),
    };
    const outputs = { ...(await session.run({ [input]: batch })), [input]: batch };
    yield names.map((name) => [name, outputs[name]!.data as Float32Array]);
  }
}

function widen(histogram: Histogram, data: Float32Array, name: string): void {
  for (const value of data) {
    if (!Number.isFinite(value)) throw new Error(`The calibration set gives ${value} at "${name}"`);
    if (value < histogram.low) histogram.low = value;
    if (value > histogram.high) histogram.high = value;
  }
}

function count({ low, high, counts }: Histogram, data: Float32Array): void {
  const scale = high > low ? counts.length / (high - low) : 0;
  for (const value of data) counts[Math.min(counts.length - 1, Math.floor((value - low) * scale))]! += 1;
}
