import { type Clock, systemClock } from '../base/clock.ts';
import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';
import { packedAnswer, readBody } from './body.ts';
import { fromFetch, type HttpAnswer, type HttpRequest, jsonAnswer, toFetch } from './http-exchange.ts';
import { writeInferResponse } from './infer-answer.ts';
import { createInference } from './inference.ts';
import { parseObject, readInferHead, readInferRequest } from './inference-protocol.ts';
import { type Escalation, escalatedHeader } from './joint/escalation.ts';
import { rememberHeads } from './known-heads.ts';
import { type Limits, withLimits } from './limits.ts';
import { expectNoOverride, expectRepository, indexOf, modelOf } from './models.ts';
import { refuseNotOffered } from './not-offered.ts';
import { createPayloadLog, type PayloadLogOptions, withPayloadLog } from './payload-log.ts';
import { imagesRequest, readPredictRequest, writePredictResponse } from './predict-protocol.ts';
import { createQuality, describeExample } from './quality/quality.ts';
import type { ModelRepository } from './repository.ts';
import { describeModel, type ServedModel, takesImages } from './served-model.ts';
import { createImagePool } from './steps/image-pool.ts';
import { describeConfig, describeStatistics } from './triton.ts';

export type { ServedModel } from './served-model.ts';

const json = { 'content-type': 'application/json' };
export const extensions = [
  'binary_tensor_data',
  'classification',
  'model_repository',
  'model_repository(unload_dependents)',
  'model_configuration',
  'statistics',
];
const isImageType = /^image\/(jpeg|jpg|png)\b/i;

export interface ModelServerOptions {
  models: ServedModel[];
  /** Models that clients may load and unload; then `models` are left out. */
  repository?: ModelRepository;
  metrics: Metrics;
  version: string;
  clock?: Clock;
  escalation?: Escalation;
  /** Rows that the model is less sure of are kept as hard examples; 0: none. */
  hardBelow?: number;
  /** None unless said. */
  limits?: Limits;
  /** None unless said. */
  payloadLog?: Pick<PayloadLogOptions, 'url' | 'mode' | 'source'> | undefined;
}

/**
 * The Open Inference Protocol v2 over HTTP: health, metadata, infer with JSON and binary tensors, or an encoded image; and
 * KServe's V1 protocol. Errors have the protocols' form, `{"error": "…"}`. What other protocols need of it is
 * given out with it.
 * Source: https://github.com/kserve/open-inference-protocol.
 */
export function createModelServer(options: ModelServerOptions) {
  const { metrics, repository, clock = systemClock, hardBelow = 0.5 } = options;
  const models = repository?.loaded ?? new Map(options.models.map((model) => [model.name, model]));
  const readHead = rememberHeads(readInferHead);
  const images = createImagePool();
  const quality = createQuality({ clock, metrics, hardBelow });
  const inference = withLimits(
    createInference({ models, metrics, clock, images, quality, escalation: options.escalation }),
    options.limits ?? { requestsMax: 0, timeoutMs: 0 },
    clock,
  );

  async function infer(
    request: HttpRequest,
    name: string,
    version: string | undefined,
    writeAs: 'infer' | 'predict',
  ): Promise<HttpAnswer> {
    // Before the body is read: a model that is not there must not cost its upload.
    modelOf(models, name, version);
    const read = readBody(request);
    const body = read instanceof Uint8Array ? read : await read;
    const type = request.header('content-type') ?? '';
    const headLength = writeAs === 'infer' ? headLengthOf(request) : undefined;
    const isEscalated = request.header(escalatedHeader) !== undefined;
    const target = { name, version, isEscalated };
    const isImage = isImageType.test(type);
    if (writeAs === 'predict') {
      const { model, ask, outputs, parameters } = await inference.infer(target, (model) => {
        if (isImage) return imagesRequest([expectImages(model, body)]);
        return readPredictRequest(body, model.session.inputs, takesImages(model));
      });
      const told = model.settings?.postprocess.length ? withoutOwn(outputs, model) : outputs;
      const predicted = writePredictResponse(ask, told, parameters);
      request.held?.add(predicted.length);
      return packedAnswer(request, predicted, json);
    }
    const { model, ask, outputs, parameters } = await inference.infer(target, (model) => {
      if (!isImage) return readInferRequest(body, headLength, takesImages(model), readHead);
      const ask = { id: undefined, inputs: {}, outputs: undefined, binaryByDefault: false };
      return { ...ask, images: [expectImages(model, body)] };
    });
    const answer = writeInferResponse(model, ask, outputs, parameters);
    request.held?.add(answer.body.length);
    if (answer.headLength === undefined) return packedAnswer(request, answer.body, json);
    return packedAnswer(request, answer.body, {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(answer.headLength),
    });
  }

  async function answerV1(request: HttpRequest, path: string): Promise<HttpAnswer> {
    if (path === '/v1/models') {
      expectMethod(request, 'GET');
      return jsonAnswer({ models: [...models.keys()] });
    }
    const found = /^\/v1\/models\/([^/:]+)(:[a-z]+)?$/.exec(path);
    if (!found || (found[2] && found[2] !== ':predict'))
      throw new StatusError(
        'NotFound',
        `no such path: ${path}; V1 has /v1/models, /v1/models/NAME and /v1/models/NAME:predict`,
      );
    const name = decode(found[1]!);
    expectMethod(request, found[2] ? 'POST' : 'GET');
    if (found[2]) return infer(request, name, undefined, 'predict');
    return jsonAnswer({ name: modelOf(models, name, undefined).name, ready: true });
  }

  async function answerRepository(request: HttpRequest, path: string): Promise<HttpAnswer> {
    expectMethod(request, 'POST');
    if (path === '/v2/repository/index') {
      const isReadyOnly = readIndexRequest(await readBody(request));
      return jsonAnswer(await indexOf(models, repository, isReadyOnly));
    }
    const found = /^\/v2\/repository\/models\/([^/]+)\/(load|unload)$/.exec(path);
    if (!found)
      throw new StatusError('NotFound', `no such path: ${path}; see the model repository extension`);
    const [name, action] = [decode(found[1]!), found[2] as 'load' | 'unload'];
    expectNoOverride(readParameters(await readBody(request)));
    await expectRepository(repository)[action](name);
    return jsonAnswer({ name, [action]: true });
  }

  function expose(): HttpAnswer {
    quality.measure();
    inference.latencies.measure();
    return { status: 200, headers: { 'content-type': 'text/plain; version=0.0.4' }, body: metrics.expose() };
  }

  function answerModel(request: HttpRequest, model: ServedModel, action: string | undefined): HttpAnswer {
    const { name } = model;
    if (action === 'hard-examples') {
      expectMethod(request, 'GET', 'DELETE');
      const examples = quality.hardExamples(name);
      const found = examples.list().map(describeExample);
      if (request.method === 'DELETE') examples.clear();
      return jsonAnswer({ model: name, examples: found });
    }
    expectMethod(request, 'GET');
    switch (action) {
      case 'ready':
        return jsonAnswer({ name, ready: true });
      case 'config':
        return jsonAnswer(describeConfig(model));
      case 'stats':
        return jsonAnswer(describeStatistics([model], inference.latencies));
      case 'drift':
        return jsonAnswer(driftOf(model));
      default:
        return jsonAnswer(describeModel(model));
    }
  }

  function driftOf({ name, settings }: ServedModel) {
    if (!settings?.statistics)
      throw new StatusError(
        'NotFound',
        `model "${name}" has no statistics of its training set: export it with \`statistics\` (dataStatistics)`,
      );
    const empty = { drifted: false, score: 0, rows: 0, inputs: {} };
    return { model: name, ...(quality.drift(name) ?? empty) };
  }

  function answer(request: HttpRequest): Promise<HttpAnswer> | HttpAnswer {
    const path = request.path.endsWith('/') ? request.path.slice(0, -1) : request.path;
    const found =
      /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer|config|stats|drift|hard-examples))?$/.exec(
        path,
      );
    if (found && path !== '/v2/models/stats') {
      const [name, version] = [decode(found[1]!), found[2] && decode(found[2])];
      if (found[3] !== 'infer') return answerModel(request, modelOf(models, name, version), found[3]);
      expectMethod(request, 'POST');
      return infer(request, name, version, 'infer');
    }
    if (path.startsWith('/v1/')) return answerV1(request, path);
    if (path.startsWith('/v2/repository/')) return answerRepository(request, path);
    if (path === '/metrics') return expose();
    if (path === '/v2/health/live') return jsonAnswer({ live: true });
    if (path === '/v2/health/ready') return jsonAnswer({ ready: true });
    if (path === '/v2') return jsonAnswer({ name: 'selvage', version: options.version, extensions });
    if (path === '/v2/models/stats')
      return jsonAnswer(describeStatistics([...models.values()], inference.latencies));
    refuseNotOffered(path);
    throw new StatusError('NotFound', `no such path: ${path}; see /v2 of the Open Inference Protocol`);
  }

  /** Answers every request; failures are answers too. */
  async function handle(request: HttpRequest): Promise<HttpAnswer> {
    try {
      return await answer(request);
    } catch (error) {
      if (/(\/infer|:predict)\/?$/.test(request.path))
        inference.latencies.refused(isStatus(error) ? error.reason : 'InternalError');
      return toErrorAnswer(error);
    }
  }

  const payloadLog = options.payloadLog && createPayloadLog({ ...options.payloadLog, clock, metrics });
  const logged = payloadLog ? withPayloadLog(handle, payloadLog) : handle;
  return {
    handle: logged,
    payloadLog,
    inference,
    models,
    repository,
    version: options.version,
    async fetch(request: Request): Promise<Response> {
      const asked = fromFetch(request);
      const answered = await logged(asked);
      asked.held?.release();
      return toFetch(answered, request.method === 'HEAD');
    },
    /** Ends the image decoders; models are closed by who opened them. */
    close: () => images.close(),
  };
}

export type ModelServer = ReturnType<typeof createModelServer>;

function expectImages(model: ServedModel, body: Uint8Array): Uint8Array {
  if (takesImages(model)) return body;
  throw new StatusError(
    'UnsupportedMediaType',
    `model "${model.name}" takes no images: its config.json has no decode step; send tensors`,
  );
}

/** What the steps made, without the model's own outputs. */
function withoutOwn<T>(outputs: Record<string, T>, { session }: ServedModel): Record<string, T> {
  const own = new Set(session.outputs.map(({ name }) => name));
  return Object.fromEntries(Object.entries(outputs).filter(([name]) => !own.has(name)));
}

function decode(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new StatusError('BadRequest', `"${segment}" in the path is not percent-encoded UTF-8`);
  }
}

function headLengthOf(request: HttpRequest): number | undefined {
  const text = request.header('inference-header-content-length');
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw new StatusError(
      'BadRequest',
      `Inference-Header-Content-Length must be a number of bytes, got "${text}"`,
    );
  return Number(text);
}

function readIndexRequest(body: Uint8Array): boolean {
  if (body.length === 0) return false;
  const request = parseObject(body);
  if (request.ready !== undefined && typeof request.ready !== 'boolean')
    throw new StatusError('BadRequest', 'ready: must be true or false');
  return request.ready === true;
}

function readParameters(body: Uint8Array): Record<string, unknown> | undefined {
  const { parameters } = body.length === 0 ? {} : parseObject(body);
  if (parameters === undefined || parameters === null) return undefined;
  if (typeof parameters === 'object' && !Array.isArray(parameters))
    return parameters as Record<string, unknown>;
  throw new StatusError('BadRequest', 'parameters: must be an object');
}

function expectMethod({ method }: HttpRequest, ...allowed: string[]): void {
  if (allowed.includes(method) || (allowed.includes('GET') && method === 'HEAD')) return;
  throw new StatusError('MethodNotAllowed', `use ${allowed.join(' or ')} here, not ${method}`);
}

function toErrorAnswer(error: unknown): HttpAnswer {
  const code = isStatus(error) ? error.code : 500;
  if (!isStatus(error)) console.error(error);
  const retryAfter = isStatus(error) ? error.details?.retryAfterSeconds : undefined;
  return jsonAnswer(
    { error: messageOf(error) },
    code,
    retryAfter ? { 'retry-after': String(retryAfter) } : {},
  );
}
