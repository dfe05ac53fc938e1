import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';

/* The load that benchmarks put on an API server, or on anything that can do the same. */

export const inFlight = 16;
export const listed = 1000;
const creates = 500;
const gets = 2000;
const lists = 20;
const opening = 20;

/** A pod of about 600 bytes, as a client sends it. */
export const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: 'web', tier: 'front' } },
  spec: {
    // Left to nobody: what a scheduler does with it is not measured.
    schedulerName: 'none',
    containers: [
      {
        name: 'main',
        image: 'my-app:1.0.0',
        ports: [{ containerPort: 8080 }],
        env: [{ name: 'PORT', value: '8080' }],
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
      },
    ],
  },
});

const statusOf = (index: number) => ({
  phase: 'Running',
  podIP: `10.42.0.${index % 250}`,
  startTime: '2026-01-01T00:00:00Z',
  conditions: ['Initialized', 'Ready', 'ContainersReady'].map((type) => ({ type, status: 'True' })),
  containerStatuses: [
    {
      name: 'main',
      image: 'my-app:1.0.0',
      imageID: '',
      ready: true,
      restartCount: 0,
      state: { running: {} },
    },
  ],
});

/** What is measured, done over HTTPS or by the store. */
export interface Subject {
  create(name: string): Promise<unknown>;
  get(name: string): Promise<unknown>;
  /** Writes another status, as a node's agent does. */
  report(name: string, status: object): Promise<unknown>;
  list(): Promise<unknown>;
  /** Resolves when the watch is open; `seen` runs for each event. */
  watch(seen: () => void, signal: AbortSignal): Promise<void>;
}

export interface Sample {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of the server, for one: what other programs do on the machine hardly shows in it. */
  cpuUs: number;
}

/** Where a server is, and an administrator's certificate for it. PEM. */
export interface Endpoint {
  port: number;
  ca: string;
  cert: string;
  key: string;
}

const path = '/api/v1/namespaces/default/pods';

export async function measure(
  subject: Subject,
  fan: { watchers: number; changes: number },
  /** Processor time of the server so far. */
  cpuMs: () => number = () => Number.NaN,
): Promise<Record<string, Sample>> {
  const costed = async (count: number, run: () => Promise<Omit<Sample, 'cpuUs'>>): Promise<Sample> => {
    const fromMs = cpuMs();
    const sample = await run();
    return { ...sample, cpuUs: ((cpuMs() - fromMs) * 1000) / count };
  };
  // The first requests pay for the machine's warming up.
  await repeat(100, (index) => subject.create(`warm-${index}`));
  await repeat(200, () => subject.get('warm-0'));
  const create = await costed(creates, () => repeat(creates, (index) => subject.create(`pod-${index}`)));
  const report = await costed(creates, () =>
    repeat(creates, (index) => subject.report(`pod-${index}`, statusOf(index))),
  );
  const get = await costed(gets, () => repeat(gets, (index) => subject.get(`pod-${index % creates}`)));
  await repeat(listed - creates - 100, (index) => subject.create(`more-${index}`));
  const list = await costed(lists, () => repeat(lists, () => subject.list(), 1));
  return {
    create,
    'patch status': report,
    get,
    [`list ${listed}`]: list,
    'watch event': await fanOut(subject, fan, costed),
  };
}

/** How fast one change after another reaches all watchers; latency from the write's start to the last watcher. */
async function fanOut(
  subject: Subject,
  { watchers, changes }: { watchers: number; changes: number },
  costed: (count: number, run: () => Promise<Omit<Sample, 'cpuUs'>>) => Promise<Sample>,
): Promise<Sample> {
  const end = new AbortController();
  let seen = 0;
  let wanted = 0;
  let reached = () => {};
  const onEvent = () => {
    if (++seen === wanted) reached();
  };
  await repeat(watchers, () => subject.watch(onEvent, end.signal), opening);
  const change = async (index: number) => {
    wanted += watchers;
    const all = new Promise<void>((resolve) => {
      reached = resolve;
    });
    await subject.create(`seen-${index}`);
    if (seen < wanted) await all;
  };
  const sample = await costed(changes * watchers, () => repeat(changes, change, 1));
  end.abort();
  return { ...sample, perSecond: sample.perSecond * watchers };
}

async function repeat(
  count: number,
  action: (index: number) => Promise<unknown>,
  lanes = inFlight,
): Promise<Omit<Sample, 'cpuUs'>> {
  const timesMs: number[] = [];
  let next = 0;
  const startMs = performance.now();
  const lane = async () => {
    while (next < count) {
      const index = next++;
      const fromMs = performance.now();
      await action(index);
      timesMs.push(performance.now() - fromMs);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { ...quantiles(timesMs), perSecond: (count * 1000) / (performance.now() - startMs) };
}

/** The agent's connections are shared by all but watches, which have one each. End it with the benchmark. */
export function httpsSubject(tls: Endpoint): { subject: Subject; agent: Agent } {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight, ...tls });
  const open = (method: string, target: string, body?: object, signal?: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      const headers = { 'content-type': type };
      const to = { host: '127.0.0.1', path: target, method, headers, ...tls };
      const sent = request({ ...to, agent: signal ? false : agent, ...(signal && { signal }) }, resolve);
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  const send = async (method: string, target: string, body?: object) => {
    const response = await open(method, target, body);
    let bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    if (response.statusCode! >= 300 || bytes === 0)
      throw new Error(`${method} ${target}: ${response.statusCode}`);
  };
  const subject: Subject = {
    create: (name) => send('POST', path, pod(name)),
    get: (name) => send('GET', `${path}/${name}`),
    report: (name, status) => send('PATCH', `${path}/${name}/status`, { status }),
    list: () => send('GET', path),
    async watch(seen, signal) {
      const list = await open('GET', `${path}?limit=1`);
      let text = '';
      for await (const chunk of list) text += chunk;
      const { resourceVersion } = JSON.parse(text).metadata;
      const response = await open(
        'GET',
        `${path}?watch=true&resourceVersion=${resourceVersion}`,
        undefined,
        signal,
      );
      response.on('error', () => {});
      response.on('data', (chunk: Buffer) => {
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) seen();
      });
    },
  };
  return { subject, agent };
}

function quantiles(timesMs: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
