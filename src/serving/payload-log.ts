import { randomUUID } from 'node:crypto';
import { type Clock, toTime } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';
import type { HttpAnswer, HttpRequest } from './http-exchange.ts';

/** Events that wait to be sent, in number and bytes; further ones are dropped, and counted. */
export const eventsMax = 256;
export const eventBytesMax = 16 * 1024 * 1024;
const sendTimeoutMs = 5_000;

export interface PayloadLogOptions {
  url: string;
  mode: 'all' | 'request' | 'response';
  /** What the events say they come from, as KServe's do. */
  source: { inferenceService: string; namespace: string; component: string; endpoint: string };
  clock: Clock;
  metrics: Metrics;
  fetch?: typeof fetch;
  /** Told once when events begin to be lost, and once when they arrive again. */
  log?: (message: string) => void;
}

type Handle = (request: HttpRequest) => Promise<HttpAnswer>;

interface Event {
  headers: Record<string, string>;
  body: Uint8Array | string;
}

export interface PayloadLog {
  /** Sends it, if it is of what is to be logged. The headers say how to read the body. */
  add(
    type: 'request' | 'response',
    id: string,
    headerOf: (name: string) => string | undefined,
    body: Uint8Array | string,
  ): void;
}

/**
 * Sends requests for an inference and their answers to a URL, as CloudEvents in binary mode with the types and attributes of
 * KServe's logger. No answer waits for it: who can't keep up loses events.
 * Source: https://kserve.github.io/website/docs/model-serving/predictive-inference/logger/basic-logger.
 */
export function createPayloadLog(options: PayloadLogOptions): PayloadLog {
  const { url, mode, source, clock, metrics, log = console.error } = options;
  const total = metrics.counter('selvage_payload_log_events_total', 'Logged payloads, by outcome.');
  const waiting: Event[] = [];
  let bytes = 0;
  let isSending = false;
  let isLost = false;

  function add(
    type: 'request' | 'response',
    id: string,
    headerOf: (name: string) => string | undefined,
    body: Uint8Array | string,
  ): void {
    if (mode !== 'all' && mode !== type) return;
    const length = Buffer.byteLength(body);
    if (waiting.length >= eventsMax || bytes + length > eventBytesMax) {
      count('dropped');
      return;
    }
    bytes += length;
    const { inferenceService, namespace, component, endpoint } = source;
    waiting.push({
      body,
      headers: {
        'content-type': headerOf('content-type') ?? 'application/json',
        // Without these the body can't be read.
        ...kept(headerOf, 'content-encoding'),
        ...kept(headerOf, 'inference-header-content-length'),
        'ce-specversion': '1.0',
        'ce-id': id,
        'ce-time': toTime(clock.nowMs()),
        'ce-type': `org.kubeflow.serving.inference.${type}`,
        'ce-source': `http://${inferenceService}.${namespace}/`,
        'ce-inferenceservicename': inferenceService,
        'ce-namespace': namespace,
        'ce-component': component,
        'ce-endpoint': endpoint,
      },
    });
    if (!isSending) void sendAll();
  }

  async function sendAll(): Promise<void> {
    isSending = true;
    for (let event = waiting.shift(); event; event = waiting.shift()) {
      try {
        await send(event);
        count('sent');
      } catch (error) {
        count('failed', messageOf(error));
      }
      bytes -= Buffer.byteLength(event.body);
    }
    isSending = false;
  }

  async function send({ headers, body }: Event): Promise<void> {
    const call = options.fetch ?? globalThis.fetch;
    const signal = AbortSignal.timeout(sendTimeoutMs);
    // The bytes are never shared memory: they come from sockets and JSON.
    const sent = body as Uint8Array<ArrayBuffer> | string;
    const response = await call(url, { method: 'POST', headers, body: sent, signal });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`it answered ${response.status}`);
  }

  function count(outcome: 'sent' | 'failed' | 'dropped', why = ''): void {
    total.increment({ outcome });
    const wasLost = isLost;
    isLost = outcome === 'sent' ? false : outcome === 'failed' || isLost;
    if (isLost && !wasLost) log(`payloads are not logged to ${url}: ${why}`);
    if (!isLost && wasLost) log(`payloads are logged to ${url} again`);
  }

  return { add };
}

/** Logs what is asked over HTTP for an inference, and what is answered. */
export function withPayloadLog(handle: Handle, log: PayloadLog): Handle {
  return async (request) => {
    if (!/(\/infer|:predict)\/?$/.test(request.path)) return handle(request);
    const id = request.header('ce-id') ?? request.header('x-request-id') ?? randomUUID();
    const read = async () => {
      const body = await request.read();
      log.add('request', id, request.header, body);
      return body;
    };
    const answer = await handle({ ...request, read });
    if (answer.status === 200) log.add('response', id, (name) => answer.headers[name], answer.body);
    return answer;
  };
}

function kept(headerOf: (name: string) => string | undefined, name: string): Record<string, string> {
  const value = headerOf(name);
  return value === undefined ? {} : { [name]: value };
}
