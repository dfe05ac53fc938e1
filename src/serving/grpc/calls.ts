import { isStatus, StatusError } from '../../base/errors.ts';
import { expectNoOverride, expectRepository, indexOf, modelOf } from '../models.ts';
import { notOfferedCalls } from '../not-offered.ts';
import { describeModel, takesImages } from '../served-model.ts';
import { extensions, type ModelServer } from '../server.ts';
import { describeConfig, describeStatistics, tritonTypes } from '../triton.ts';
import { messages } from './messages.ts';
import { withPayloadLog } from './payload-log.ts';
import { codes, GrpcError } from './status.ts';
import { readGrpcRequest, writeGrpcOutputs, writeParameters } from './tensors.ts';
import type { Message, Value } from './wire.ts';

const service = '/inference.GRPCInferenceService/';
export const inferPath = `${service}ModelInfer`;
/** Triton's: many requests of `inferPath`, each with its answer. */
export const streamInferPath = `${service}ModelStreamInfer`;

/** One remote procedure: what it takes, gives and does. */
export interface Call {
  request: Message;
  response: Message;
  answer(request: Value): Value | Promise<Value>;
}

/** The procedures of GRPCInferenceService by path. Answers are those of the HTTP paths. */
export function createCalls(server: ModelServer): Map<string, Call> {
  const { models, inference, repository, version } = server;
  const named = ({ name = '', version }: Value) => modelOf(models, name as string, version as string);

  const serving = { request: messages.empty, answer: () => ({ live: true, ready: true }) };
  const calls: Record<string, Call> = {
    ServerLive: { ...serving, response: messages.serverLive },
    ServerReady: { ...serving, response: messages.ready },
    ModelReady: {
      request: messages.nameAndVersion,
      response: messages.ready,
      answer: (request) => ({ ready: isServed(() => named(request)) }),
    },
    ServerMetadata: {
      request: messages.empty,
      response: messages.serverMetadata,
      answer: () => ({ name: 'selvage', version, extensions }),
    },
    ModelMetadata: {
      request: messages.nameAndVersion,
      response: messages.modelMetadata,
      answer(request) {
        const { parameters = {}, ...described } = describeModel(named(request));
        const properties = Object.entries(parameters).map(([key, value]) => [
          key,
          typeof value === 'string' ? value : JSON.stringify(value),
        ]);
        return { ...described, properties: Object.fromEntries(properties) };
      },
    },
    ModelInfer: {
      request: messages.inferRequest,
      response: messages.inferResponse,
      async answer(request) {
        const target = { name: String(request.model_name ?? ''), version: request.model_version as string };
        const { model, ask, outputs, parameters } = await inference.infer(target, (model) =>
          readGrpcRequest(request, takesImages(model)),
        );
        const told = writeParameters(parameters);
        return {
          model_name: model.name,
          model_version: model.version,
          id: ask.id,
          ...(told && { parameters: told }),
          ...writeGrpcOutputs(outputs, ask.outputs),
        };
      },
    },
    RepositoryIndex: {
      request: messages.indexRequest,
      response: messages.indexResponse,
      answer: async ({ ready }) => ({ models: await indexOf(models, repository, ready === true) }),
    },
    ModelConfig: {
      request: messages.nameAndVersion,
      response: messages.configResponse,
      answer(request) {
        const config = describeConfig(named(request));
        const numbered = (values: typeof config.input) =>
          values.map((value) => ({ ...value, data_type: tritonTypes.indexOf(value.data_type) }));
        return { config: { ...config, input: numbered(config.input), output: numbered(config.output) } };
      },
    },
    ModelStatistics: {
      request: messages.nameAndVersion,
      response: messages.statisticsResponse,
      answer: (request) =>
        describeStatistics(request.name ? [named(request)] : [...models.values()], inference.latencies),
    },
  };
  for (const [name, action] of [
    ['RepositoryModelLoad', 'load'],
    ['RepositoryModelUnload', 'unload'],
  ] as const) {
    calls[name] = {
      request: messages.loadRequest,
      response: messages.loadResponse,
      async answer({ repository_name, model_name, parameters }) {
        expectNoOverride(parameters as Value | undefined);
        const model = String(model_name || repository_name || '');
        await expectRepository(repository)[action](model);
        return { model_name: model, is_done: true };
      },
    };
  }
  for (const [name, why] of Object.entries(notOfferedCalls)) {
    const answer = () => {
      throw new GrpcError(codes.unimplemented, why);
    };
    calls[name] = { request: messages.empty, response: messages.empty, answer };
  }
  if (server.payloadLog) calls.ModelInfer = withPayloadLog(calls.ModelInfer!, server.payloadLog);
  const byPath = Object.entries(calls).map(([name, call]) => [`${service}${name}`, call] as const);
  return new Map<string, Call>([...byPath, ['/grpc.health.v1.Health/Check', healthCheck(server)]]);
}

/** Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md. */
function healthCheck({ models }: ModelServer): Call {
  return {
    request: messages.healthRequest,
    response: messages.healthResponse,
    answer({ service }) {
      const isKnown = !service || service === 'inference.GRPCInferenceService' || models.has(String(service));
      if (!isKnown) throw new StatusError('NotFound', `unknown service "${service}"`);
      return { status: 1 };
    },
  };
}

function isServed(find: () => unknown): boolean {
  try {
    find();
    return true;
  } catch (error) {
    if (isStatus(error, 'NotFound')) return false;
    throw error;
  }
}
