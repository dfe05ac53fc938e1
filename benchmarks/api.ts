import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../src/store/open.ts';
import type { Store } from '../src/store/store.ts';
import {
  type Endpoint,
  httpsSubject,
  inFlight,
  listed,
  measure,
  pod,
  round,
  type Sample,
  type Subject,
} from './api/load.ts';
import { median } from './median.ts';

/**
 * API rates over HTTPS (a server process of its own, SQLite on disk, one client process), each beside the same work
 * done by bare store calls: how much of the store's speed the API leaves. Run: `node benchmarks/api.ts [runs]`.
 */

const runs = Number(process.argv[2] ?? 5);
const fan = { watchers: 50, changes: 100 };

if (process.send) await serve();
else await main();

async function main(): Promise<void> {
  const all: Record<string, { api: Sample; store: Sample }[]> = {};
  for (let run = 0; run < runs; run++) {
    const api = await withServer((subject) => measure(subject, fan));
    const store = await withStore((subject) => measure(subject, fan));
    for (const name of Object.keys(api)) {
      all[name] ??= [];
      all[name].push({ api: api[name]!, store: store[name]! });
    }
  }
  console.log(
    `medians of ${runs} runs; ${inFlight} requests in flight; list of ${listed}; ${fan.watchers} watchers`,
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
  const [tls] = (await once(child, 'message')) as [Endpoint];
  const { subject, agent } = httpsSubject(tls);
  const ended = once(child, 'exit');
  try {
    return await action(subject);
  } finally {
    agent.destroy();
    child.send('stop');
    await ended;
  }
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
