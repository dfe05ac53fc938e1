import type { WebhookClientConfig } from '../../../api/parts/webhook.ts';
import { messageOf } from '../../../base/errors.ts';
import type { ServiceDial } from '../../service-dial.ts';
import type { Hook } from './hooks.ts';

/** An answer may hold a whole object as a patch, and no more. */
export const answerBytesMax = 8 * 1024 * 1024;
/** Webhooks that are asked at once, of all requests together; what comes on top waits for its turn. */
export const callsMax = 128;

/** Puts questions to webhooks, each within its time. */
export class WebhookCaller {
  readonly #dial: ServiceDial;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(dial: ServiceDial) {
    this.#dial = dial;
  }

  /** The parsed answer. Rejects in the words of Kubernetes' client for what keeps one from coming. */
  async ask({ webhook }: Hook, body: object): Promise<unknown> {
    const seconds = webhook.timeoutSeconds ?? 10;
    const signal = AbortSignal.timeout(seconds * 1000);
    const url = urlOf(webhook.clientConfig, seconds);
    await this.#turn(signal, url);
    try {
      return await this.#post(webhook.clientConfig, url, body, signal);
    } catch (error) {
      const why = signal.aborted ? 'context deadline exceeded' : messageOf(error);
      throw new Error(`failed to call webhook: Post "${inGo(url)}": ${why}`, { cause: error });
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(signal: AbortSignal, url: URL): Promise<void> {
    while (this.#running >= callsMax) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      if (!signal.aborted) continue;
      throw new Error(`failed to call webhook: Post "${inGo(url)}": context deadline exceeded`);
    }
    this.#running++;
  }

  async #post(config: WebhookClientConfig, url: URL, body: object, signal: AbortSignal): Promise<unknown> {
    const [{ request }, { connect }] = await Promise.all([import('node:https'), import('node:tls')]);
    const ca = config.caBundle ? Buffer.from(config.caBundle, 'base64').toString() : undefined;
    const { service } = config;
    const stream = service && (await this.#dial({ ...service, port: service.port ?? 443 }, signal));
    const sent = JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asking = request(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'content-length': Buffer.byteLength(sent),
          'user-agent': 'kube-apiserver-admission',
        },
        signal,
        ...(ca !== undefined && { ca }),
        ...(stream
          ? {
              createConnection: () =>
                connect({ socket: stream, servername: url.hostname, ...(ca !== undefined && { ca }) }),
            }
          : { agent: false }),
      });
      asking.on('error', reject);
      stream?.once('error', (error) => asking.destroy(error));
      asking.on('response', (response) => {
        readAll(response)
          .then((text) => {
            if (response.statusCode === 200) resolve(parsed(text));
            else reject(new Error(`the server answered ${response.statusCode}: ${text.slice(0, 200)}`));
          })
          .catch(reject);
      });
      asking.end(sent);
    });
  }
}

/** As Go writes it, which keeps the port of a Service also where it is the usual one. */
function inGo({ href, host, port }: URL): string {
  return port === '' && host.endsWith('.svc') ? href.replace(host, `${host}:443`) : href;
}

function urlOf({ url, service }: WebhookClientConfig, seconds: number): URL {
  const { name, namespace, port = 443, path = '' } = service ?? {};
  const full = new URL(url ?? `https://${name}.${namespace}.svc:${port}/${path.replace(/^\//, '')}`);
  full.searchParams.set('timeout', `${seconds}s`);
  return full;
}

async function readAll(response: AsyncIterable<Buffer> & { destroy(): void }): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      response.destroy();
      throw new Error(`the answer is larger than ${answerBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error('received invalid webhook response: it is no JSON', { cause });
  }
}
