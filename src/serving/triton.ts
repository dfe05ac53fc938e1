import { type Latencies, noTotals } from './latencies.ts';
import { outputsOf, type ServedModel } from './served-model.ts';

/** Triton's names of the protocol's datatypes in a model configuration. Source: model_config.proto, `DataType`. */
export const tritonTypes = [
  'TYPE_INVALID',
  'TYPE_BOOL',
  'TYPE_UINT8',
  'TYPE_UINT16',
  'TYPE_UINT32',
  'TYPE_UINT64',
  'TYPE_INT8',
  'TYPE_INT16',
  'TYPE_INT32',
  'TYPE_INT64',
  'TYPE_FP16',
  'TYPE_FP32',
  'TYPE_FP64',
  'TYPE_STRING',
  'TYPE_BF16',
];

export function tritonTypeOf(datatype: string): string {
  return `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`;
}

/** What Triton's model configuration extension tells, as far as it has a meaning here. */
export function describeConfig(model: ServedModel) {
  const values = (all: { name: string; datatype: string; shape: number[] }[]) =>
    all.map(({ name, datatype, shape }) => ({ name, data_type: tritonTypeOf(datatype), dims: shape }));
  return {
    name: model.name,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    // Shapes here state the batch axis themselves.
    max_batch_size: 0,
    input: values(model.session.inputs),
    output: values(outputsOf(model)),
  };
}

/**
 * What Triton's statistics extension tells, and the quantiles of the newest requests. Times are sums in nanoseconds.
 * Source: https://github.com/triton-inference-server/server, docs/protocol/extension_statistics.md.
 */
export function describeStatistics(models: ServedModel[], latencies: Latencies) {
  return { model_stats: models.map((model) => statisticsOf(model, latencies)) };
}

function statisticsOf({ name, version, session }: ServedModel, latencies: Latencies) {
  const { p50Ms, p99Ms } = latencies.quantiles(name);
  const totals = latencies.totals(name) ?? noTotals;
  const { count, rows, inputMs, inferMs, outputMs, failed, failedMs, lastTimeMs } = totals;
  const { runs, queuedMs } = session.counted?.() ?? { runs: count, queuedMs: 0 };
  const sum = (times: number, ms: number) => ({ count: times, ns: Math.round(Math.max(0, ms) * 1e6) });
  return {
    name,
    version,
    last_inference: Math.round(lastTimeMs),
    inference_count: rows,
    execution_count: runs,
    inference_stats: {
      success: sum(count, inputMs + inferMs + outputMs),
      fail: sum(failed, failedMs),
      queue: sum(count, queuedMs),
      compute_input: sum(count, inputMs),
      compute_infer: sum(count, inferMs - queuedMs),
      compute_output: sum(count, outputMs),
      cache_hit: sum(0, 0),
      cache_miss: sum(0, 0),
    },
    batch_stats: [],
    parameters: { latency_p50_ms: p50Ms, latency_p99_ms: p99Ms },
  };
}
