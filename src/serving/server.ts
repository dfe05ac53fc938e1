import { isStatus, messageOf, StatusError } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';
import {
  checkInputs,
  readInferRequest,
  type TensorMetadata,
  writeInferResponse,
} from './inference-protocol.ts';
import { readPredictRequest, writePredictResponse } from './predict-protocol.ts';
import type { Session } from './session.ts';

export const bodyBytesMax = 64 * 1024 * 1024;

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
export function createModelServer(options: { models: ServedModel[]; metrics: Metrics; version: string }) {
  const { metrics } = options;
  const models = new Map(options.models.map((model) => [model.name, model]));
  const requests = metrics.counter(
    'selvage_inference_requests_total',
    'Infer requests by model and outcome.',
  );
  const duration = metrics.histogram(
    'selvage_inference_duration_seconds',
    'Time from a request read to its answer written.',
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  );

  async function infer(model: ServedModel, request: Request): Promise<Response> {
    const startMs = performance.now();
    const body = await readBody(request);
    const inferRequest = readInferRequest(body, headLengthOf(request));
    checkInputs(model.session.inputs, inferRequest, model.session.outputs);
    const outputs = await model.session.run(inferRequest.inputs);
    const { body: answer, headLength } = writeInferResponse(model, inferRequest, outputs);
    count(model, startMs);
    if (headLength === undefined)
      return new Response(answer, { headers: { 'content-type': 'application/json' } });
    const headers = {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(headLength),
    };
    return new Response(answer, { headers });
  }

  async function predict(model: ServedModel, request: Request): Promise<Response> {
    const startMs = performance.now();
    const predictRequest = readPredictRequest(await readBody(request), model.session.inputs);
    checkInputs(
      model.session.inputs,
      { inputs: predictRequest.inputs, outputs: undefined },
      model.session.outputs,
    );
    const outputs = await model.session.run(predictRequest.inputs);
    const answer = writePredictResponse(predictRequest, outputs);
    count(model, startMs);
    return new Response(answer, { headers: { 'content-type': 'application/json' } });
  }

  function count({ name }: ServedModel, startMs: number): void {
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
    const model = modelOf(decode(found[1]!), undefined);
    expectMethod(request, found[2] ? 'POST' : 'GET');
    return found[2] ? predict(model, request) : Response.json({ name: model.name, ready: true });
  }

  function answer(request: Request): Response | Promise<Response> {
    const path = new URL(request.url).pathname.replace(/\/$/, '');
    if (path.startsWith('/v1/')) return answerV1(request, path);
    if (path === '/metrics')
      return new Response(metrics.expose(), { headers: { 'content-type': 'text/plain; version=0.0.4' } });
    if (path === '/v2/health/live') return Response.json({ live: true });
    if (path === '/v2/health/ready') return Response.json({ ready: true });
    if (path === '/v2')
      return Response.json({ name: 'selvage', version: options.version, extensions: ['binary_tensor_data'] });
    const found = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer))?$/.exec(path);
    if (!found)
      throw new StatusError('NotFound', `no such path: ${path}; see /v2 of the Open Inference Protocol`);
    const model = modelOf(decode(found[1]!), found[2] && decode(found[2]));
    const action = found[3];
    expectMethod(request, action === 'infer' ? 'POST' : 'GET');
    if (action === 'infer') return infer(model, request);
    return Response.json(action === 'ready' ? { name: model.name, ready: true } : describe(model));
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
        return await answer(request);
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

async function readBody(request: Request): Promise<Uint8Array> {
  const tooLarge = () => new StatusError('RequestEntityTooLarge', `a request may have ${bodyBytesMax} bytes`);
  if (Number(request.headers.get('content-length') ?? 0) > bodyBytesMax) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > bodyBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}

function expectMethod(request: Request, method: string): void {
  if (request.method !== method)
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
