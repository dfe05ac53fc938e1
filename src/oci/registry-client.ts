import { type Clock, sleep } from '../base/clock.ts';
import { isStatus, messageOf, StatusError, type StatusReason } from '../base/errors.ts';
import { acceptedManifestTypes } from './media-types.ts';

/** As much of an answer as a registry client needs; a global `Response` will do, but costs an agent undici's 15 MB. */
export interface RegistryResponse {
  readonly status: number;
  readonly ok: boolean;
  readonly statusText: string;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

/** As much of `fetch` as a registry client needs; the caller's adds client certificates, tokens or a CA. */
export type Fetch = (
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body?: Uint8Array<ArrayBuffer>;
    signal?: AbortSignal;
  },
) => Promise<RegistryResponse>;

export interface RegistryEndpoint {
  /** Scheme, host and port, such as `https://127.0.0.1:6443`. */
  url: string;
  fetch?: Fetch;
  /** For registries that send their clients to a token service, or ask for Basic authentication. */
  credentials?: { username: string; password: string };
}

export interface RegistryRequest {
  method: string;
  /** A path below the endpoint, or a whole URL that the registry gave. */
  url: string;
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
  signal?: AbortSignal;
}

/** Without an answer for this long, a registry counts as unreachable; a body that stalls this long, as broken. */
export const stallMs = 30_000;
const errorBodyCharactersMax = 500;
const tokenBytesMax = 64 * 1024;

/** One repository of one registry: sends requests, signs in where asked, and turns refusals into StatusErrors. */
export class RegistryClient {
  readonly endpoint: RegistryEndpoint;
  readonly repository: string;
  readonly #access: 'pull' | 'pull,push';
  readonly #clock: Clock;
  #authorization: string | undefined;

  constructor(options: {
    endpoint: RegistryEndpoint;
    repository: string;
    access: 'pull' | 'pull,push';
    clock: Clock;
  }) {
    this.endpoint = options.endpoint;
    this.repository = options.repository;
    this.#access = options.access;
    this.#clock = options.clock;
  }

  /**
   * Gives any answer below 400. Else: `NotFound`, `Unauthorized`, `Forbidden`, `ServiceUnavailable` (unreachable, busy
   * or failing: worth another try) or `BadRequest`.
   */
  async request(request: RegistryRequest): Promise<RegistryResponse> {
    let response = await this.#send(request);
    const challenge = response.headers.get('www-authenticate');
    if (response.status === 401 && challenge) {
      await response.body?.cancel();
      this.#authorization = await this.#signIn(challenge, request.signal);
      response = await this.#send(request);
    }
    if (response.status < 400) return response;
    throw await this.#refusal(request, response);
  }

  manifest(reference: string, signal?: AbortSignal): Promise<RegistryResponse> {
    const headers = { Accept: acceptedManifestTypes };
    return this.request({
      method: 'GET',
      url: this.path(`manifests/${reference}`),
      headers,
      ...(signal && { signal }),
    });
  }

  path(rest: string): string {
    return `/v2/${this.repository}/${rest}`;
  }

  /** Resolves what a registry said in `Location`, which may be relative. */
  resolve(url: string): string {
    return new URL(url, this.endpoint.url).href;
  }

  async #send(request: RegistryRequest): Promise<RegistryResponse> {
    const url = this.resolve(request.url);
    const headers = { ...request.headers };
    // An upload may be sent elsewhere, where our credentials have no business.
    const isOwn = new URL(url).origin === new URL(this.endpoint.url).origin;
    if (this.#authorization && isOwn) headers.Authorization = this.#authorization;
    const { method, body, signal } = request;
    return this.#fetch(url, { method, headers, ...(body && { body }), ...(signal && { signal }) });
  }

  async #fetch(url: string, init: Parameters<Fetch>[1]): Promise<RegistryResponse> {
    const silence = new AbortController();
    const cancel = this.#clock.after(stallMs, () =>
      silence.abort(new Error(`no answer in ${stallMs / 1000} s`)),
    );
    const signal = init.signal ? AbortSignal.any([init.signal, silence.signal]) : silence.signal;
    try {
      return await (this.endpoint.fetch ?? (globalThis.fetch as Fetch))(url, { ...init, signal });
    } catch (error) {
      init.signal?.throwIfAborted();
      // `fetch failed` alone says nothing; its cause names the refused connection or the bad certificate.
      const why = messageOf((error as Error).cause ?? error);
      throw new StatusError('ServiceUnavailable', `cannot reach registry ${this.endpoint.url}: ${why}`, {
        cause: error,
      });
    } finally {
      cancel();
    }
  }

  /** https://distribution.github.io/distribution/spec/auth/token/ */
  async #signIn(challenge: string, signal?: AbortSignal): Promise<string | undefined> {
    const { credentials } = this.endpoint;
    const basic = credentials && `Basic ${btoa(`${credentials.username}:${credentials.password}`)}`;
    if (!/^bearer /i.test(challenge)) return basic;
    const said = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((each) => [each[1], each[2]]),
    );
    const url = this.#tokenUrl(said);
    const headers: Record<string, string> = basic ? { Authorization: basic } : {};
    const response = await this.#fetch(url, { method: 'GET', headers, ...(signal && { signal }) });
    if (!response.ok) throw await this.#refusal({ method: 'GET', url }, response);
    const { token, access_token } = JSON.parse(await readText(response, tokenBytesMax)) as Record<
      string,
      unknown
    >;
    if (typeof (token ?? access_token) === 'string') return `Bearer ${token ?? access_token}`;
    throw new StatusError('Unauthorized', `the token service at ${new URL(url).origin} gave no token`);
  }

  #tokenUrl({ realm, service, scope }: Record<string, string | undefined>): string {
    const url = URL.parse(realm ?? '');
    const isSafe = url?.protocol === 'https:' || (url && this.endpoint.url.startsWith('http:'));
    if (!url || !isSafe) {
      const message = `registry ${this.endpoint.url} names an unusable token service: ${realm}`;
      throw new StatusError('Unauthorized', message);
    }
    if (service) url.searchParams.set('service', service);
    url.searchParams.set('scope', scope ?? `repository:${this.repository}:${this.#access}`);
    return url.href;
  }

  async #refusal(request: RegistryRequest, response: RegistryResponse): Promise<StatusError> {
    const text = await readText(response, tokenBytesMax).catch(() => '');
    const { code, message } = firstError(text);
    const why = [code, message].filter(Boolean).join(': ') || response.statusText || 'no reason given';
    const path = new URL(this.resolve(request.url)).pathname;
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    return new StatusError(
      reasonOf(response.status),
      `registry ${this.endpoint.url} answered ${response.status} to ${request.method} ${path}: ${why}`,
      Number.isFinite(seconds) ? { details: { retryAfterSeconds: seconds } } : {},
    );
  }
}

/** Attempts for one manifest or blob; for a blob, one that got on by `progressBytesMin` starts the count again. */
export const attemptsMax = 5;
const firstDelayMs = 200;
const delayMsMax = 5000;

/** Waits before attempt `failures + 1`: longer each time, or as long as the registry asked. */
export async function backOff(
  clock: Clock,
  failures: number,
  error: unknown,
  signal?: AbortSignal,
): Promise<void> {
  const asked = isStatus(error) ? error.details?.retryAfterSeconds : undefined;
  const own = firstDelayMs * 2 ** (failures - 1);
  await sleep(clock, Math.min(asked === undefined ? own : asked * 1000, delayMsMax), signal);
  signal?.throwIfAborted();
}

/** Whether the same request may succeed later. */
export const isPassing = (error: unknown): boolean =>
  isStatus(error) && error.reason === 'ServiceUnavailable';

/** Runs `action` until it succeeds, fails for good, or has failed `attemptsMax` times. */
export async function withRetries<T>(
  clock: Clock,
  action: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await action();
    } catch (error) {
      if (!isPassing(error) || failures >= attemptsMax) throw error;
      await backOff(clock, failures, error, signal);
    }
  }
}

/** Reads a body up to a bound, since its sender is not trusted to have one. */
export async function readBytes(response: RegistryResponse, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > bytesMax) throw new StatusError('BadRequest', `the answer has more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readText(response: RegistryResponse, bytesMax: number): Promise<string> {
  return (await readBytes(response, bytesMax)).toString('utf8');
}

function firstError(text: string): { code?: string; message?: string } {
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: string; message?: string }[] };
    return errors?.[0] ?? {};
  } catch {
    return { message: text.slice(0, errorBodyCharactersMax) };
  }
}

function reasonOf(status: number): StatusReason {
  if (status === 401) return 'Unauthorized';
  if (status === 403) return 'Forbidden';
  if (status === 404) return 'NotFound';
  return status === 429 || status === 408 || status >= 500 ? 'ServiceUnavailable' : 'BadRequest';
}
