import { setTimeout as delay } from 'node:timers/promises';
import { memoryOfAll, processesWith } from '../terminal/memory.ts';
import { percentile } from '../terminal/units.ts';
import { type Cluster, edgeSites } from './cluster.ts';
import type { Figures } from './figures.ts';

interface CameraSummary {
  site: string;
  frames: number;
  bytesCaptured: number;
  correct: number;
  frameLatencyMs: { p50: number; p99: number };
}

interface Overview {
  cameras: CameraSummary[];
  uncertain: { received: number };
}

interface Reading {
  atMs: number;
  overview: Overview;
  applicationBytes: number;
  controlBytes: number;
}

const comparisonCount = 100;
const reportTimeoutMs = 60_000;
const reportPollMs = 100;

/** Times the model of an edge site against the one in the cloud, both from the edge's `classify` pod, in turn. */
export async function measureLatency(classifyUrl: string): Promise<Figures['latency']> {
  const query = new URLSearchParams({
    with: 'http://cifar10-cloud-predictor',
    model: 'cifar10-cloud',
    count: String(comparisonCount),
  });
  const times = await getJson<{ here: number[]; elsewhere: number[] }>(`${classifyUrl}/compare?${query}`);
  const latency = (values: number[]) => ({ p50: percentile(values, 0.5), p99: percentile(values, 0.99) });
  const edge = latency(times.here);
  const cloud = latency(times.elsewhere);
  return { count: times.here.length, edge, cloud, ratioP50: cloud.p50 / edge.p50 };
}

/** Lets the application run and compares what the cameras captured with what the relay carried for it. */
export async function measureTraffic(
  cluster: Cluster,
  options: { collectorUrl: string; seconds: number; signal: AbortSignal },
): Promise<Pick<Figures, 'traffic' | 'frameLatency'>> {
  const before = await read(cluster, options.collectorUrl, options.signal);
  await delay(options.seconds * 1000, undefined, { signal: options.signal });
  const after = await read(cluster, options.collectorUrl, options.signal);
  const sum = ({ overview }: Reading, pick: (camera: CameraSummary) => number) =>
    overview.cameras.reduce((total, camera) => total + pick(camera), 0);
  const during = (pick: (camera: CameraSummary) => number) => sum(after, pick) - sum(before, pick);
  const frames = during((camera) => camera.frames);
  if (frames === 0) throw new Error('the cameras captured nothing');
  const capturedBytes = during((camera) => camera.bytesCaptured);
  const applicationWanBytes = after.applicationBytes - before.applicationBytes;
  const latencies = after.overview.cameras.map((camera) => camera.frameLatencyMs);
  return {
    traffic: {
      seconds: (after.atMs - before.atMs) / 1000,
      frames,
      capturedBytes,
      applicationWanBytes,
      controlWanBytes: after.controlBytes - before.controlBytes,
      share: applicationWanBytes / capturedBytes,
      uncertainImages: after.overview.uncertain.received - before.overview.uncertain.received,
      agreement: during((camera) => camera.correct) / frames,
    },
    frameLatency: {
      p50: percentile(
        latencies.map(({ p50 }) => p50),
        0.5,
      ),
      p99: Math.max(...latencies.map(({ p99 }) => p99)),
    },
  };
}

/** The counters at a moment when every camera has just reported. */
async function read(cluster: Cluster, collectorUrl: string, signal: AbortSignal): Promise<Reading> {
  const overview = await untilAllReported(collectorUrl, signal);
  const { api, mesh } = await cluster.wan.counters();
  return {
    atMs: performance.now(),
    overview,
    applicationBytes: mesh!.upBytes + mesh!.downBytes,
    controlBytes: api!.upBytes + api!.downBytes,
  };
}

async function untilAllReported(collectorUrl: string, signal: AbortSignal): Promise<Overview> {
  const first = await getJson<Overview>(collectorUrl);
  const framesAtFirst = new Map(first.cameras.map(({ site, frames }) => [site, frames]));
  const endMs = performance.now() + reportTimeoutMs;
  while (performance.now() < endMs) {
    await delay(reportPollMs, undefined, { signal });
    const overview = await getJson<Overview>(collectorUrl);
    const reported = overview.cameras.filter(({ site, frames }) => frames !== framesAtFirst.get(site));
    if (reported.length === edgeSites.length) return overview;
  }
  throw new Error(
    `the cameras of ${edgeSites.join(' and ')} did not both report in ${reportTimeoutMs / 1000} s`,
  );
}

/** Resident memory of what runs the cluster; pods are the processes that each site's shim started. */
export function measureMemory(cluster: Cluster): Figures['memory'] {
  const dirs = Object.values(cluster.siteDirs);
  const shims = dirs.flatMap((dir) => processesWith(['runtimes/shim/main', dir]));
  const pods = dirs.flatMap((dir) => processesWith(['runtimes/isolate/host', dir]));
  return {
    controlPlane: memoryOfAll([cluster.controlPlane.pid]),
    agents: Object.fromEntries(
      Object.entries(cluster.agents).map(([site, { pid }]) => [site, memoryOfAll([pid])]),
    ),
    shims: memoryOfAll(shims),
    pods: { ...memoryOfAll(pods), count: pods.length },
  };
}

async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(120_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
