import type { Latencies } from './latencies.ts';
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

/** What Triton's statistics extension tells: how many requests were answered, and the quantiles of the newest. */
export function describeStatistics(models: ServedModel[], latencies: Latencies) {
  return {
    model_stats: models.map(({ name, version }) => {
      const { count, p50Ms, p99Ms } = latencies.totals(name);
      return {
        name,
        version,
        inference_count: count,
        execution_count: count,
        parameters: { latency_p50_ms: p50Ms, latency_p99_ms: p99Ms },
      };
    }),
  };
}
