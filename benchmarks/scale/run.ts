import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Access, quantile, repeat, TimingClient } from './client.ts';
import { lease, microNow, node, nodeName, nodeStatus, pod, podSpec, podStatus } from './objects.ts';
import type { Question, Usage } from './server.ts';

/** What one size of cluster costs. */
export interface Figures {
  nodes: number;
  pods: number;
  /** Nodes that hold an agent's watches. */
  watching: number;
  /** Creates of pods with their node, and reports of their status, a second: as fast as they are taken. */
  fillPerSecond: number;
  /**
   * While nodes renew their Leases (every 10 s) and report (every 5 min), and people read and write; with the bytes that
   * each watching node is sent, a second.
   */
  idle: Usage & { agentBytes: number };
  /** Watches that were put off at first. */
  refusals: number;
  renewalsPerSecond: number;
  /** Answers of the server, in ms. */
  p50: Record<string, number>;
  p99: Record<string, number>;
  /** Renewals a second, as fast as they are taken. */
  renewalsMax: number;
  /** A Deployment's pods from its creation until all are bound. */
  boundPerSecond: number;
  replicas: number;
  deploy: Usage;
}

const connections = 8;
const lanes = 32;
const renewMs = 10_000;
const reportMs = 300_000;
const leasePath = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

export async function runScale(options: {
  nodes: number;
  pods: number;
  watching: number;
  replicas: number;
  seconds: number;
  execArgv: string[];
}): Promise<Figures> {
  const { nodes, pods, watching, replicas, seconds, execArgv } = options;
  const home = mkdtempSync(join(tmpdir(), 'selvage-scale-'));
  const server = fork(join(import.meta.dirname, 'server.ts'), [home], { stdio: 'inherit', execArgv });
  const ended = once(server, 'exit');
  const [access] = (await once(server, 'message')) as [Access];
  const question = async (asked: Question): Promise<unknown> => {
    server.send(asked);
    return (await once(server, 'message'))[0];
  };
  // What the server answers to which question, see there.
  const ask = () => question({ kind: 'usage' }) as Promise<Usage>;
  const accessOf = (name: string) => question({ kind: 'certificate', node: name }) as Promise<Access>;
  const client = new TimingClient(access, connections);
  const end = new AbortController();
  try {
    const fillPerSecond = await fill(client, nodes, pods);
    const agents = await watch(client, { count: watching, accessOf, signal: end.signal });
    const idle = await live(client, { nodes, pods, seconds, agents }, ask);
    const times = client.times;
    const renewalsMax = await repeat(Math.min(5 * nodes, 5000), lanes, (n) => renew(client, n % nodes));
    const deployed = await deploy(client, access, replicas, ask);
    return {
      nodes,
      pods,
      watching,
      fillPerSecond,
      idle,
      refusals: agents.refusals,
      renewalsPerSecond: (times.get('renew')?.length ?? 0) / seconds,
      p50: Object.fromEntries([...times].map(([sort, each]) => [sort, quantile(each, 0.5)])),
      p99: Object.fromEntries([...times].map(([sort, each]) => [sort, quantile(each, 0.99)])),
      renewalsMax,
      replicas,
      ...deployed,
    };
  } finally {
    end.abort();
    client.close();
    server.disconnect();
    await ended;
    rmSync(home, { recursive: true, force: true });
  }
}

async function fill(client: TimingClient, nodes: number, pods: number): Promise<number> {
  await repeat(nodes, lanes, async (n) => {
    await client.send('fill', 'POST', '/api/v1/nodes', node(n));
    await client.send('fill', 'POST', leasePath, lease(n));
    await client.send('fill', 'PATCH', `/api/v1/nodes/${nodeName(n)}/status`, { status: nodeStatus(n) });
  });
  for (let n = 0; n < 50; n++) {
    const metadata = { name: `space-${n}` };
    await client.send('fill', 'POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata,
    });
  }
  const perSecond = await repeat(pods, lanes, async (n) => {
    const made = pod(n, nodes);
    const path = `/api/v1/namespaces/${made.metadata.namespace}/pods`;
    await client.send('fill', 'POST', path, made);
    await client.send('fill', 'PATCH', `${path}/${made.metadata.name}/status`, { status: podStatus(n) });
  });
  return 2 * perSecond;
}

/** What each node's agent watches, each over a connection of its own. */
const watchesOf = (name: string) => [
  `/api/v1/pods?fieldSelector=spec.nodeName%3D${name}`,
  `/api/v1/nodes?fieldSelector=metadata.name%3D${name}`,
  '/api/v1/services?',
  '/apis/discovery.k8s.io/v1/endpointslices?',
  '/api/v1/persistentvolumes?',
];

interface Agents {
  count: number;
  /** What all of them have been sent. */
  bytes: number;
  /** How often the server put one off. */
  refusals: number;
}

/** Opens the watches of the first `count` nodes, each as itself and all of a node at once, from what is there now. */
async function watch(
  client: TimingClient,
  options: { count: number; accessOf: (name: string) => Promise<Access>; signal: AbortSignal },
): Promise<Agents> {
  const { count, accessOf, signal } = options;
  const { metadata } = JSON.parse(await client.send('fill', 'GET', '/api/v1/nodes?limit=1'));
  const agents: Agents = { count, bytes: 0, refusals: 0 };
  const nodes: { name: string; access: Access }[] = [];
  for (let n = 0; n < count; n++) nodes.push({ name: nodeName(n), access: await accessOf(nodeName(n)) });
  const open = async (agent: TimingClient, path: string) => {
    const query = `&watch=true&resourceVersion=${metadata.resourceVersion}&allowWatchBookmarks=true`;
    const events = await agent.open('GET', path + query, undefined, signal);
    if (events.statusCode !== 200) throw new Error(`watch of ${path}: ${events.statusCode}`);
    events.on('error', () => {});
    events.on('data', (chunk: Buffer) => {
      agents.bytes += chunk.length;
    });
  };
  await repeat(count, lanes, async (n) => {
    const { name, access } = nodes[n]!;
    const agent = new TimingClient(access, 1);
    await Promise.all(watchesOf(name).map((path) => open(agent, path)));
    agents.refusals += agent.refusals;
  });
  return agents;
}

const renew = (client: TimingClient, n: number) =>
  client.send('renew', 'PATCH', `${leasePath}/${nodeName(n)}`, { spec: { renewTime: microNow() } });

/** Everybody does what they do in a cluster at rest, for a while. */
async function live(
  client: TimingClient,
  { nodes, pods, seconds, agents }: { nodes: number; pods: number; seconds: number; agents: Agents },
  ask: () => Promise<Usage>,
): Promise<Usage & { agentBytes: number }> {
  // Start-up's garbage, and what controllers make of so many new objects, is not what is measured.
  await delay(5000);
  await ask();
  client.times = new Map();
  const { bytes } = agents;
  const end = performance.now() + seconds * 1000;
  const pace = async (everyMs: number, count: number, action: (n: number) => Promise<unknown>) => {
    const gapMs = everyMs / count;
    const startMs = performance.now();
    const under: Promise<unknown>[] = [];
    for (let n = 0; performance.now() < end; n++) {
      const waitMs = startMs + n * gapMs - performance.now();
      if (waitMs > 1) await delay(waitMs);
      under.push(action(n % count));
    }
    await Promise.all(under);
  };
  const path = '/api/v1/namespaces/space-0';
  await Promise.all([
    pace(renewMs, nodes, (n) => renew(client, n)),
    pace(reportMs, nodes, (n) =>
      client.send('report', 'PATCH', `/api/v1/nodes/${nodeName(n)}/status`, { status: nodeStatus(n) }),
    ),
    pace(1000, 20, () => client.send('get pod', 'GET', `${path}/pods/pod-0`)),
    pace(1000, 2, () => client.send(`list ${Math.ceil(pods / 50)} pods`, 'GET', `${path}/pods`)),
    pace(1000, 5, async (n) => {
      const name = `c-${performance.now()}-${n}`;
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: 'b' } };
      await client.send('create', 'POST', `${path}/configmaps`, body);
      await client.send('delete', 'DELETE', `${path}/configmaps/${name}`);
    }),
  ]);
  const usage = await ask();
  return { ...usage, agentBytes: (agents.bytes - bytes) / Math.max(1, agents.count) / seconds };
}

/** A Deployment in a namespace of its own; a watch tells when its pods are bound. */
async function deploy(
  client: TimingClient,
  access: Access,
  replicas: number,
  ask: () => Promise<Usage>,
): Promise<{ boundPerSecond: number; deploy: Usage }> {
  const metadata = { name: 'rollout' };
  await client.send('fill', 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  await delay(1000);
  await ask();
  const end = new AbortController();
  const bound = new Set<string>();
  const watcher = new TimingClient(access, 1);
  const events = await watcher.open(
    'GET',
    '/api/v1/namespaces/rollout/pods?watch=true',
    undefined,
    end.signal,
  );
  const all = new Promise<void>((resolve) => {
    let rest = '';
    events.setEncoding('utf8');
    events.on('error', () => {});
    events.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const { object } = JSON.parse(line);
        if (object.spec?.nodeName) bound.add(object.metadata.name);
      }
      if (bound.size >= replicas) resolve();
    });
  });
  const labels = { app: 'rollout' };
  const startMs = performance.now();
  await client.send('fill', 'POST', '/apis/apps/v1/namespaces/rollout/deployments', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'rollout' },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
  });
  await all;
  const boundPerSecond = (replicas * 1000) / (performance.now() - startMs);
  end.abort();
  watcher.close();
  return { boundPerSecond, deploy: await ask() };
}
