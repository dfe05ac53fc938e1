import type { Field, Message } from './wire.ts';

// The protocol's messages, as its grpc_predict_v2.proto names and numbers them, with what Triton's grpc_service.proto has
// beyond it. Sources: https://github.com/kserve/open-inference-protocol, https://github.com/triton-inference-server/common.
const one = (number: number, type: Field['type']): Field => ({ number, type });
const many = (number: number, type: Field['type']): Field => ({ number, type, repeated: true });
const choice = (number: number, type: Field['type']): Field => ({ number, type, oneof: true });
const map = (number: number, type: Field['type']): Field => ({ number, type, map: true });

const parameter: Message = {
  bool_param: choice(1, 'bool'),
  int64_param: choice(2, 'int64'),
  string_param: choice(3, 'string'),
  double_param: choice(4, 'double'),
  uint64_param: choice(5, 'biguint64'),
};

const repositoryParameter: Message = {
  bool_param: choice(1, 'bool'),
  int64_param: choice(2, 'int64'),
  string_param: choice(3, 'string'),
  bytes_param: choice(4, 'bytes'),
};

const contents: Message = {
  bool_contents: many(1, 'bool'),
  int_contents: many(2, 'int32'),
  int64_contents: many(3, 'bigint64'),
  uint_contents: many(4, 'uint32'),
  uint64_contents: many(5, 'biguint64'),
  fp32_contents: many(6, 'float'),
  fp64_contents: many(7, 'double'),
  bytes_contents: many(8, 'bytes'),
};

const tensor: Message = {
  name: one(1, 'string'),
  datatype: one(2, 'string'),
  shape: many(3, 'int64'),
  parameters: map(4, parameter),
  contents: one(5, contents),
};

const tensorMetadata: Message = {
  name: one(1, 'string'),
  datatype: one(2, 'string'),
  shape: many(3, 'int64'),
};

const duration: Message = { count: one(1, 'int64'), ns: one(2, 'int64') };

const nameAndVersion: Message = { name: one(1, 'string'), version: one(2, 'string') };

const inferResponse: Message = {
  model_name: one(1, 'string'),
  model_version: one(2, 'string'),
  id: one(3, 'string'),
  parameters: map(4, parameter),
  outputs: many(5, tensor),
  raw_output_contents: many(6, 'bytes'),
};

export const messages = {
  empty: {},
  serverLive: { live: one(1, 'bool') },
  ready: { ready: one(1, 'bool') },
  nameAndVersion,
  serverMetadata: { name: one(1, 'string'), version: one(2, 'string'), extensions: many(3, 'string') },
  modelMetadata: {
    name: one(1, 'string'),
    versions: many(2, 'string'),
    platform: one(3, 'string'),
    inputs: many(4, tensorMetadata),
    outputs: many(5, tensorMetadata),
    properties: map(6, 'string'),
  },
  inferRequest: {
    model_name: one(1, 'string'),
    model_version: one(2, 'string'),
    id: one(3, 'string'),
    parameters: map(4, parameter),
    inputs: many(5, tensor),
    outputs: many(6, { name: one(1, 'string'), parameters: map(2, parameter) }),
    raw_input_contents: many(7, 'bytes'),
  },
  inferResponse,
  streamInferResponse: { error_message: one(1, 'string'), infer_response: one(2, inferResponse) },
  indexRequest: { repository_name: one(1, 'string'), ready: one(2, 'bool') },
  indexResponse: {
    models: many(1, {
      name: one(1, 'string'),
      version: one(2, 'string'),
      state: one(3, 'string'),
      reason: one(4, 'string'),
    }),
  },
  /** Triton's; KServe's own has the model's name as field 1. */
  loadRequest: {
    repository_name: one(1, 'string'),
    model_name: one(2, 'string'),
    parameters: map(3, repositoryParameter),
  },
  /** KServe's; Triton's has no fields. */
  loadResponse: { model_name: one(1, 'string'), is_done: one(2, 'bool') },
  configResponse: {
    config: one(1, {
      name: one(1, 'string'),
      platform: one(2, 'string'),
      max_batch_size: one(4, 'int32'),
      input: many(5, { name: one(1, 'string'), data_type: one(2, 'int32'), dims: many(4, 'int64') }),
      output: many(6, { name: one(1, 'string'), data_type: one(2, 'int32'), dims: many(3, 'int64') }),
      backend: one(17, 'string'),
    }),
  },
  statisticsResponse: {
    model_stats: many(1, {
      name: one(1, 'string'),
      version: one(2, 'string'),
      last_inference: one(3, 'int64'),
      inference_count: one(4, 'int64'),
      execution_count: one(5, 'int64'),
      inference_stats: one(6, {
        success: one(1, duration),
        fail: one(2, duration),
        queue: one(3, duration),
        compute_input: one(4, duration),
        compute_infer: one(5, duration),
        compute_output: one(6, duration),
        cache_hit: one(7, duration),
        cache_miss: one(8, duration),
      }),
    }),
  },
  /** grpc.health.v1, which Kubernetes' probes ask. */
  healthRequest: { service: one(1, 'string') },
  healthResponse: { status: one(1, 'int32') },
} satisfies Record<string, Message>;
