import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../src/store/open.ts';
import type { Store } from '../src/store/store.ts';

/**
 * API rates over HTTPS (a server process of its own, SQLite on disk, one client process), each beside the same work
 * done by bare store calls: how much of the store's speed the API leaves. Run: `node benchmarks/api.ts [runs]`.
 */

const runs = Number(process.argv[2] ?? 5);
const inFlight = 16;
const creates = 500;
const gets = 2000;
const listed = 1000;
const lists = 20;
const watchers = 50;
const changes = 100;

/** A pod of about 600 bytes, as a client sends it. */
const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: 'web', tier: 'front' } },
  spec: {
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
interface Subject {
  create(name: string): Promise<unknown>;
  get(name: string): Promise<unknown>;
  /** Writes another status, as a node's agent does. */
  report(name: string, status: object): Promise<unknown>;
  list(): Promise<unknown>;
  /** Resolves when the watch is open; `seen` runs for each event. */
  watch(seen: () => void, signal: AbortSignal): Promise<void>;
}

interface Sample {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const path = '/api/v1/namespaces/default/pods';

if (process.send) await serve();
else await main();

async function main(): Promise<void> {
  const all: Record<string, { api: Sample; store: Sample }[]> = {};
  for (let run = 0; run < runs; run++) {
    const api = await withServer(measure);
    const store = await withStore(measure);
    for (const name of Object.keys(api)) {
      all[name] ??= [];
      all[name].push({ api: api[name]!, store: store[name]! });
    }
  }
  console.log(
    `medians of ${runs} runs; ${inFlight} requests in flight; list of ${listed}; ${watchers} watchers`,
  );
  console.table(Object.fromEntries(Object.entries(all).map(([name, samples]) => [name, rowOf(samples)])));
}

function rowOf(samples: { api: Sample; store: Sample }[]): object {
  const middle = (pick: (sample: { api: Sample; store: Sample }) => number) => median(samples.map(pick));
  const perSecond = middle(({ api }) => api.perSecond);
  return {
    'API /s': Math.round(perSecond),
    'p50 ms': round(middle(({ api }) => api.p50Ms)),
    'p99 ms': round(middle(({ api }) => api.p99Ms)),
    'store /s': Math.round(middle(({ store }) => store.perSecond)),
    'API : store': round(
      middle(({ api, store }) => api.perSecond / store.perSecond),
      3,
    ),
  };
}

async function measure(subject: Subject): Promise<Record<string, Sample>> {
  // The first requests pay for the machine's warming up.
  await repeat(100, (index) => subject.create(`warm-${index}`));
  await repeat(200, () => subject.get('warm-0'));
  const create = await repeat(creates, (index) => subject.create(`pod-${index}`));
  const report = await repeat(creates, (index) => subject.report(`pod-${index}`, statusOf(index)));
  const get = await repeat(gets, (index) => subject.get(`pod-${index % creates}`));
  await repeat(listed - creates - 100, (index) => subject.create(`more-${index}`));
  const list = await repeat(lists, () => subject.list(), 1);
  return {
    create,
    'patch status': report,
    get,
    [`list ${listed}`]: list,
    'watch event': await fanOut(subject),
  };
}

/** How fast one change after another reaches all watchers; latency from the write's start to the last watcher. */
async function fanOut(subject: Subject): Promise<Sample> {
  const end = new AbortController();
  let seen = 0;
  let wanted = 0;
  let reached = () => {};
  const onEvent = () => {
    if (++seen === wanted) reached();
  };
  await Promise.all(Array.from({ length: watchers }, () => subject.watch(onEvent, end.signal)));
  const timesMs: number[] = [];
  for (let index = 0; index < changes; index++) {
    const startMs = performance.now();
    wanted += watchers;
    const all = new Promise<void>((resolve) => {
      reached = resolve;
    });
    await subject.create(`seen-${index}`);
    if (seen < wanted) await all;
    timesMs.push(performance.now() - startMs);
  }
  end.abort();
  const totalMs = timesMs.reduce((sum, ms) => sum + ms, 0);
  return { ...quantiles(timesMs), perSecond: (changes * watchers * 1000) / totalMs };
}

async function repeat(
  count: number,
  action: (index: number) => Promise<unknown>,
  lanes = inFlight,
): Promise<Sample> {
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

async function withStore<T>(action: (subject: Subject) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-bench-'));
  const store = openStore({ path: join(dir, 'state.sqlite') });
  try {
    return await action(storeSubject(store));
  } finally {
    await store.close();
    rmSync(dir, { recursive: true });
  }
}

function storeSubject(store: Store): Subject {
  const prefix = '/core/pods/default/';
  return {
    create: (name) => store.create(prefix + name, pod(name)),
    get: async (name) => store.get(prefix + name),
    async report(name, status) {
      const { value, revision } = store.get(prefix + name)!;
      return store.update(prefix + name, { ...value, status }, revision);
    },
    list: async () => store.list(prefix),
    async watch(seen, signal) {
      const events = store.watch(prefix, { fromRevision: store.revision(), signal });
      const follow = async () => {
        for await (const _ of events) seen();
      };
      follow().catch((error: unknown) => console.error(error));
    },
  };
}

async function withServer<T>(action: (subject: Subject) => Promise<T>): Promise<T> {
  const child = fork(import.meta.filename, { stdio: 'inherit' });
  const [tls] = (await once(child, 'message')) as [{ port: number; ca: string; cert: string; key: string }];
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight, ...tls });
  const ended = once(child, 'exit');
  try {
    return await action(httpsSubject(tls, agent));
  } finally {
    agent.destroy();
    child.send('stop');
    await ended;
  }
}

function httpsSubject(tls: { port: number; ca: string; cert: string; key: string }, agent: Agent): Subject {
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
  return {
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
        for (const byte of chunk) if (byte === 10) seen();
      });
    },
  };
}

/** The server's side, in the forked process. */
async function serve(): Promise<void> {
  const { startTestServer } = await import('../src/apiserver/test-server.ts');
  const dir = mkdtempSync(join(tmpdir(), 'selvage-bench-'));
  const running = await startTestServer({ path: join(dir, 'state.sqlite') });
  const { certificatePem, privateKeyPem } = running.issueClient('benchmark');
  process.send!({
    port: running.port,
    ca: running.authority.caPem,
    cert: certificatePem,
    key: privateKeyPem,
  });
  await once(process, 'message');
  await running.close();
  rmSync(dir, { recursive: true });
  process.disconnect?.();
}

function quantiles(timesMs: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
