import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isStatus, StatusError } from '../../base/errors.ts';
import { readBody } from '../../base/read-body.ts';
import type { Coordinator } from './coordinator.ts';
import { figuresHeader, readDataForm, readFigures, samplesHeader } from './protocol.ts';
import type { DataForm } from './round-folder.ts';
import type { ServingOffer } from './serving-offer.ts';
import { isTokenOf } from './tokens.ts';

/** A body that is no update. */
const textBytesMax = 1024 * 1024;
/** What an update's file may have besides its numbers. */
const headerBytesMax = 1024 * 1024;
/** Updates that are taken in at a time, one of a client: each is in memory as a whole. */
export const uploadsMax = 8;
/** A slower sender is cut off, so that it can't keep the others out. */
const uploadTimeoutMs = 120_000;

export interface CoordinatorServerOptions {
  /** That of `clientToken`. */
  key: string;
  /** Takes what a client's examples look like; throws Conflict where they are not like the others'. */
  join(client: string, form: DataForm): Promise<void>;
  /** Undefined until the first client has joined. */
  coordinator(): Coordinator | undefined;
  /** The model that the final weights are compared with; undefined where they are not. */
  serving?: (() => Promise<ServingOffer>) | undefined;
  /** Told each client that has heard that the rounds are over. */
  onDismissed(client: string): void;
  /** Told of what nobody expected. */
  onFailure(error: unknown): void;
}

type Call = Record<'client' | 'round', string> & { request: IncomingMessage; response: ServerResponse };

/** The coordinator's HTTP, as `protocol.ts` says; bodies, uploads and their time are bounded. */
export function createCoordinatorServer(options: CoordinatorServerOptions): Server {
  const uploading = new Set<string>();
  const routes: [method: string, pattern: RegExp, action: (call: Call) => Promise<void>][] = [
    ['POST', /^\/v1\/clients\/(?<client>[^/]+)\/data$/, join],
    ['GET', /^\/v1\/clients\/(?<client>[^/]+)\/task$/, task],
    ['GET', /^\/v1\/clients\/(?<client>[^/]+)\/rounds\/(?<round>\d{1,9})\/weights$/, weights],
    ['PUT', /^\/v1\/clients\/(?<client>[^/]+)\/rounds\/(?<round>\d{1,9})\/update$/, update],
    ['PUT', /^\/v1\/clients\/(?<client>[^/]+)\/rounds\/(?<round>\d{1,9})\/figures$/, figures],
    ['GET', /^\/v1\/clients\/(?<client>[^/]+)\/serving$/, serving],
  ];

  async function join({ client, request, response }: Call): Promise<void> {
    const body = await bounded(request, textBytesMax);
    await options.join(client, readDataForm(body.toString()));
    answer(response, 200, {});
  }

  async function task({ client, response }: Call): Promise<void> {
    const found = options.coordinator()?.taskOf(client) ?? { kind: 'wait', round: 1 };
    if (found.kind === 'done') response.once('finish', () => options.onDismissed(client));
    answer(response, 200, found);
  }

  async function weights({ round, response }: Call): Promise<void> {
    sendFile(response, joined().weightsOf(Number(round)));
  }

  async function serving({ response }: Call): Promise<void> {
    const { onnx, problem = 'nobody asked for a comparison' } = (await options.serving?.()) ?? {};
    if (!onnx) throw new StatusError('NotFound', problem);
    sendFile(response, onnx);
  }

  async function update({ client, round, request, response }: Call): Promise<void> {
    const coordinator = joined();
    if (uploading.size >= uploadsMax || uploading.has(client)) {
      throw new StatusError('ServiceUnavailable', `${uploading.size} updates are being taken in: try again`);
    }
    uploading.add(client);
    try {
      const samples = Number(request.headers[samplesHeader] ?? Number.NaN);
      const told = request.headers[figuresHeader];
      const bytesMax = coordinator.weights.byteLength + headerBytesMax;
      const bytes = await bounded(request, bytesMax);
      const measured = typeof told === 'string' ? { figures: readFigures(told) } : {};
      await coordinator.receive(client, Number(round), { bytes, samples, ...measured });
      answer(response, 200, {});
    } finally {
      uploading.delete(client);
    }
  }

  async function figures({ client, round, request, response }: Call): Promise<void> {
    const body = await bounded(request, textBytesMax);
    await joined().evaluated(client, Number(round), readFigures(body.toString()));
    answer(response, 200, {});
  }

  function joined(): Coordinator {
    const coordinator = options.coordinator();
    if (coordinator) return coordinator;
    throw new StatusError('Conflict', 'nobody has said yet what the examples look like');
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://coordinator');
    for (const [method, pattern, action] of routes) {
      const { client, round = '' } = pattern.exec(pathname)?.groups ?? {};
      if (client === undefined || request.method !== method) continue;
      authenticate(client, request);
      return action({ client, round, request, response });
    }
    throw new StatusError('NotFound', `there is no ${request.method} ${pathname}`);
  }

  /** The name's form keeps it from being a path. */
  function authenticate(client: string, { headers }: IncomingMessage): void {
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    if (/^[a-z0-9]([a-z0-9.-]{0,252})$/.test(client) && isTokenOf(token, options.key, client)) return;
    throw new StatusError('Unauthorized', `the token is not that of "${client.slice(0, 253)}"`);
  }

  return createServer((request, response) => {
    request.on('error', () => {});
    handle(request, response).catch((error: unknown) => {
      if (!isStatus(error)) options.onFailure(error);
      if (response.headersSent) return response.destroy();
      const { code, message } = isStatus(error) ? error : { code: 500, message: 'internal error' };
      // What is left of the body is not read.
      response.setHeader('connection', 'close');
      answer(response, code, { error: message });
    });
  });
}

function sendFile(response: ServerResponse, file: Uint8Array): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.byteLength });
  response.end(file);
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const bounded = (request: IncomingMessage, bytesMax: number): Promise<Buffer> =>
  readBody(request, {
    bytesMax,
    timeoutMs: uploadTimeoutMs,
    tooLarge: () => `the body is larger than the ${bytesMax} bytes that it may have`,
  });
