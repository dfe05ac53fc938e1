import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

export interface Access {
  port: number;
  ca: string;
  cert: string;
  key: string;
}

/** How long the answers to one sort of request took, in ms. */
export type Times = Map<string, number[]>;

/** As client-go does, whose requests come again so often when they are told when. */
const retriesMax = 10;

/** A plain HTTPS client over a few connections that takes the time of each request, waits and retries included. */
export class TimingClient {
  #access: Access;
  #agent: Agent;
  times: Times = new Map();
  /** Answers that told to come again. */
  refusals = 0;

  constructor(access: Access, connections: number) {
    this.#access = access;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, ...access });
  }

  /** Throws for an answer of 300 and above. */
  async send(sort: string, method: string, path: string, body?: object): Promise<string> {
    const startMs = performance.now();
    const response = await this.open(method, path, body);
    let text = '';
    response.setEncoding('utf8');
    for await (const chunk of response) text += chunk;
    if (response.statusCode! >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    const times = this.times.get(sort) ?? [];
    times.push(performance.now() - startMs);
    this.times.set(sort, times);
    return text;
  }

  /** Opens the answer; with a signal, over a connection of its own. Comes again when it is told when (Retry-After). */
  async open(method: string, path: string, body?: object, signal?: AbortSignal): Promise<IncomingMessage> {
    for (let retries = 0; ; retries++) {
      const response = await this.#exchange(method, path, body, signal);
      const seconds = response.headers['retry-after'];
      if (response.statusCode !== 429 || seconds === undefined || retries === retriesMax) return response;
      this.refusals += 1;
      response.resume();
      await delay(Number(seconds) * 1000);
    }
  }

  #exchange(method: string, path: string, body?: object, signal?: AbortSignal): Promise<IncomingMessage> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return new Promise((resolve, reject) => {
      const to = { host: '127.0.0.1', path, method, headers: { 'content-type': type }, ...this.#access };
      const sent = request(
        { ...to, agent: signal ? false : this.#agent, ...(signal && { signal }) },
        resolve,
      );
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Runs `action` for 0 to count - 1, `lanes` at a time; answers how many a second. */
export async function repeat(
  count: number,
  lanes: number,
  action: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const startMs = performance.now();
  const lane = async () => {
    while (next < count) await action(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (count * 1000) / (performance.now() - startMs);
}

export function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
