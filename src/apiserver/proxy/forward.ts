import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { messageOf, StatusError } from '../../base/errors.ts';
import { nodeHttp } from '../../base/node-http.ts';
import type { ProxiedAnswer } from '../answer.ts';
import { endToEnd } from './headers.ts';
import type { Incoming } from './incoming.ts';
import { rewriteLink } from './links.ts';
import { rewritePage } from './rewrite-page.ts';
import { connectInTime, type Upstream } from './upstream.ts';

/** How a request is passed on. */
export interface Passed {
  upstream: Upstream;
  incoming: Incoming;
  /** Encoded, with its query. */
  path: string;
  headers: Record<string, string | string[]>;
  /** What stands before the paths of the other server when they are asked through this one. */
  prefix: string;
  signal: AbortSignal | undefined;
}

/** Passes a request on and resolves when its answer begins; throws ServiceUnavailable, in Kubernetes' words. */
export async function forward(passed: Passed): Promise<ProxiedAnswer> {
  let answer: IncomingMessage;
  try {
    answer = await exchange(passed);
  } catch (cause) {
    const message = `error trying to reach service: ${messageOf(cause)}`;
    throw new StatusError('ServiceUnavailable', message, { cause });
  }
  return rewritten(answer, passed);
}

async function exchange(passed: Passed): Promise<IncomingMessage> {
  const { agent } = passed.upstream;
  if (!agent || !mayBeRepeated(passed.incoming)) return answerTo(await beginRequest(passed), passed);
  const sent = headOf(passed, { agent });
  try {
    return await answerTo(sent, passed);
  } catch (error) {
    // The other side may close a connection just when it is used again.
    if (!sent.reusedSocket || passed.signal?.aborted) throw error;
    return answerTo(await beginRequest(passed), passed);
  }
}

function mayBeRepeated({ method, body }: Incoming): boolean {
  return !body && (method === 'GET' || method === 'HEAD');
}

function answerTo(sent: ClientRequest, { incoming, signal }: Passed): Promise<IncomingMessage> {
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve).on('error', reject);
    // A server that answers an upgrade that nobody asked for speaks something else.
    sent.once('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('unexpected upgrade'));
    });
  });
  const end = () => sent.destroy();
  signal?.addEventListener('abort', end, { once: true });
  sent.once('close', () => signal?.removeEventListener('abort', end));
  if (signal?.aborted) end();
  if (incoming.body) {
    // An answer may come before the body is sent; what breaks then is told by the answer itself.
    pipeline(incoming.body, sent, () => {});
  } else sent.end();
  return answer;
}

/** The head of a request over a connection of its own. */
export async function beginRequest(passed: Omit<Passed, 'prefix'>): Promise<ClientRequest> {
  const stream = await connectInTime(passed.upstream, passed.signal);
  // Without an agent the connection ends with its answer.
  return headOf(passed, { createConnection: () => stream });
}

function headOf(
  { upstream, incoming, path, headers }: Omit<Passed, 'prefix'>,
  over: Pick<RequestOptions, 'agent' | 'createConnection'>,
): ClientRequest {
  const host = String(headers.host ?? upstream.host);
  return nodeHttp.request({ method: incoming.method, path, headers: { ...headers, host }, ...over });
}

function rewritten(answer: IncomingMessage, { upstream, incoming, prefix }: Passed): ProxiedAnswer {
  const code = answer.statusCode ?? 502;
  const headers = endToEnd(headersOf(answer));
  const base = { prefix, host: upstream.host, askedHost: String(incoming.headers.host ?? '') };
  const rewrite = (link: string) => rewriteLink(link, base);
  const whole: ProxiedAnswer = { code, headers, kind: 'proxied', bytes: answer };
  if (typeof headers.location === 'string' && headers.location !== '') {
    headers.location = rewrite(headers.location);
    return whole;
  }
  const isPage =
    String(headers['content-type'] ?? '')
      .split(';')[0]!
      .trim() === 'text/html';
  if (!isPage || incoming.method === 'HEAD') return whole;
  const page: Readable | undefined = rewritePage(answer, String(headers['content-encoding'] ?? ''), rewrite);
  if (!page) return whole;
  delete headers['content-length'];
  return { ...whole, bytes: page };
}

function headersOf({ headersDistinct }: IncomingMessage): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, values = []] of Object.entries(headersDistinct)) {
    headers[name] = values.length === 1 ? values[0]! : values;
  }
  return headers;
}
