import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';
import { packedResponse, readBody } from './body.ts';
import {
  checkInputs,
  parseObject,
  readInferRequest,
  type TensorMetadata,
  writeInferResponse,
} from './inference-protocol.ts';
import { readPredictRequest, writePredictResponse } from './predict-protocol.ts';
import type { ModelRepository } from './repository.ts';
import type { Session } from './session.ts';

const json = { 'content-type': 'application/json' };
const extensions = ['binary_tensor_data', 'model_repository'];

export interface ServedModel {
  name: string;
  version: string;
  /** Class names by output index, if the model has them. */
  labels: string[] | undefined;
  session: Session;
}

/**
 * The Open Inference Protocol v2 over HTTP as a fetch handler: health, metadata, infer with JSON and binary tensors; and
 * KServe's V1 protocol. Errors have the protocols' form, `{"error": "…"}`.
 * Source: https://github.com/kserve/open-inference-protocol.
 */
export function createModelServer(options: {
  models: ServedModel[];
  /** Models that clients may load and unload; then `models` are left out. */
  repository?: ModelRepository;
  metrics: Metrics;
  version: string;
}) {
  const { metrics, repository } = options;
  const models = repository?.loaded ?? new Map(options.models.map((model) => [model.name, model]));
  const requests = metrics.counter(
    'selvage_inference_requests_total',
    'Infer requests by model and outcome.',
  );
  const duration = metrics.histogram(
    'selvage_inference_duration_seconds',
    'Time from a request read to its answer written.',
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  );

  async function infer(request: Request, name: string, version: string | undefined): Promise<Response> {
    modelOf(name, version);
    const startMs = performance.now();
    const body = await readBody(request);
    // Looked up again, since it may have been reloaded while the body came.
    const model = modelOf(name, version);
    const inferRequest = readInferRequest(body, headLengthOf(request));
    checkInputs(model.session.inputs, inferRequest, model.session.outputs);
    const outputs = await model.session.run(inferRequest.inputs);
    const { body: answer, headLength } = writeInferResponse(model, inferRequest, outputs);
    count(name, startMs);
    if (headLength === undefined) return packedResponse(request, answer, json);
    return packedResponse(request, answer, {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(headLength),
    });
  }

  async function predict(request: Request, name: string): Promise<Response> {
    modelOf(name, undefined);
    const startMs = performance.now();
    const body = await readBody(request);
    const { session } = modelOf(name, undefined);
    const predictRequest = readPredictRequest(body, session.inputs);
    checkInputs(session.inputs, { inputs: predictRequest.inputs, outputs: undefined }, session.outputs);
    const outputs = await session.run(predictRequest.inputs);
    const answer = writePredictResponse(predictRequest, outputs);
    count(name, startMs);
    return packedResponse(request, answer, json);
  }

  function count(name: string, startMs: number): void {
    duration.observe((performance.now() - startMs) / 1000, { model: name });
    requests.increment({ model: name, outcome: 'ok' });
  }

  function answerV1(request: Request, path: string): Response | Promise<Response> {
    if (path === '/v1/models') {
      expectMethod(request, 'GET');
      return Response.json({ models: [...models.keys()] });
    }
    const found = /^\/v1\/models\/([^/:]+)(:[a-z]+)?$/.exec(path);
    if (!found || (found[2] && found[2] !== ':predict'))
      throw new StatusError(
        'NotFound',
        `no such path: ${path}; V1 has /v1/models, /v1/models/NAME and /v1/models/NAME:predict`,
      );
    const name = decode(found[1]!);
    expectMethod(request, found[2] ? 'POST' : 'GET');
    if (found[2]) return predict(request, name);
    return Response.json({ name: modelOf(name, undefined).name, ready: true });
  }

  async function answerRepository(request: Request, path: string): Promise<Response> {
    expectMethod(request, 'POST');
    if (path === '/v2/repository/index') {
      const isReadyOnly = readIndexRequest(await readBody(request));
      const fixed = () =>
        [...models.values()].map(({ name, version }) => ({ name, version, state: 'READY', reason: '' }));
      const entries = (await repository?.index()) ?? fixed();
      return Response.json(entries.filter(({ state }) => !isReadyOnly || state === 'READY'));
    }
    const found = /^\/v2\/repository\/models\/([^/]+)\/(load|unload)$/.exec(path);
    if (!found)
      throw new StatusError('NotFound', `no such path: ${path}; see the model repository extension`);
    if (!repository)
      throw new StatusError(
        'BadRequest',
        'this server has a fixed model: it was started without MODEL_REPOSITORY',
      );
    const [name, action] = [decode(found[1]!), found[2] as 'load' | 'unload'];
    await repository[action](name);
    return Response.json({ name, [action]: true });
  }

  function answer(request: Request): Response | Promise<Response> {
    const path = new URL(request.url).pathname.replace(/\/$/, '');
    if (path.startsWith('/v1/')) return answerV1(request, path);
    if (path === '/metrics')
      return new Response(metrics.expose(), { headers: { 'content-type': 'text/plain; version=0.0.4' } });
    if (path === '/v2/health/live') return Response.json({ live: true });
    if (path === '/v2/health/ready') return Response.json({ ready: true });
    if (path === '/v2') return Response.json({ name: 'selvage', version: options.version, extensions });
    if (path.startsWith('/v2/repository/')) return answerRepository(request, path);
    const found = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer))?$/.exec(path);
    if (!found)
      throw new StatusError('NotFound', `no such path: ${path}; see /v2 of the Open Inference Protocol`);
    const [name, version] = [decode(found[1]!), found[2] && decode(found[2])];
    const action = found[3];
    expectMethod(request, action === 'infer' ? 'POST' : 'GET');
    if (action === 'infer') return infer(request, name, version);
    const model = modelOf(name, version);
    return Response.json(action === 'ready' ? { name, ready: true } : describe(model));
  }

  function modelOf(name: string, version: string | undefined): ServedModel {
    const model = models.get(name);
    if (!model) {
      throw new StatusError(
        'NotFound',
        `no model "${name}" here; served: ${[...models.keys()].map((key) => `"${key}"`).join(', ')}`,
      );
    }
    if (version !== undefined && version !== model.version) {
      throw new StatusError(
        'NotFound',
        `model "${name}" has no version "${version}"; served: "${model.version}"`,
      );
    }
    return model;
  }

  return {
    async fetch(request: Request): Promise<Response> {
      try {
        const response = await answer(request);
        return request.method === 'HEAD' ? new Response(null, response) : response;
      } catch (error) {
        if (/(\/infer|:predict)\/?$/.test(request.url))
          requests.increment({ outcome: isStatus(error) ? error.reason : 'InternalError' });
        return toErrorResponse(error);
      }
    },
  };
}

function describe({ name, version, labels, session }: ServedModel) {
  const inputs: TensorMetadata[] = session.inputs;
  return {
    name,
    versions: [version],
    platform: 'onnx_onnxv1',
    inputs,
    outputs: session.outputs,
    ...(labels && { parameters: { labels } }),
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new StatusError('BadRequest', `"${segment}" in the path is not percent-encoded UTF-8`);
  }
}

function headLengthOf(request: Request): number | undefined {
  const text = request.headers.get('inference-header-content-length');
  if (text === null) return undefined;
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

function expectMethod(request: Request, method: 'GET' | 'POST'): void {
  if (request.method !== method && !(method === 'GET' && request.method === 'HEAD'))
    throw new StatusError('MethodNotAllowed', `use ${method} here, not ${request.method}`);
}

function toErrorResponse(error: unknown): Response {
  const code = isStatus(error) ? error.code : 500;
  const retryAfter = isStatus(error) ? error.details?.retryAfterSeconds : undefined;
  return Response.json(
    { error: messageOf(error) },
    { status: code, ...(retryAfter && { headers: { 'retry-after': String(retryAfter) } }) },
  );
}
