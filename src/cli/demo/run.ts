import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Lifecycle } from '../../base/lifecycle.ts';
import type { DemoFlags } from '../demo.ts';
import { untilToldToStop } from '../parent.ts';
import { createSteps, paint } from '../terminal/steps.ts';
import { formatBytes, formatMs } from '../terminal/units.ts';
import { type Images, loadImages } from '../training/images.ts';
import { type TrainedNetwork, trainNetwork } from '../training/train-network.ts';
import {
  buildApplication,
  manifests,
  modelManifest,
  namespace,
  untilApplicationAvailable,
} from './application.ts';
import { applyFile } from './apply.ts';
import { type Cluster, controlPlaneDir, startCluster } from './cluster.ts';
import type { Figures } from './figures.ts';
import { measureLatency, measureMemory, measureTraffic } from './measure.ts';
import { lastPodLines } from './pod-logs.ts';
import { pushTrainedModel } from './push-model.ts';
import { renderReport } from './report.ts';
import { untilLoadBalancer, untilPodReady } from './wait.ts';

/** As `examples/vision/model.yaml` names it. */
const modelReference = 'models/cifar10:v1';
const firstPodTimeoutMs = 120_000;
const addressTimeoutMs = 60_000;

/** The main job. However it ends, it ends what it started; throws what went wrong. */
export async function runDemo(flags: DemoFlags): Promise<void> {
  const life = new Lifecycle();
  const stop = new AbortController();
  const told = untilToldToStop().then(() => stop.abort(new Error('stopped')));
  const dir = flags.dataDir ? resolve(flags.dataDir) : mkdtempSync(join(tmpdir(), 'selvage-demo-'));
  mkdirSync(dir, { recursive: true });
  if (!flags.dataDir) life.defer(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  try {
    await Promise.race([told, demo(flags, { dir, life, signal: stop.signal })]);
    if (!flags.once) await told;
  } finally {
    process.stderr.write('\n  stopping everything that was started …\n');
    // A failure to stop is said, and hides no failure before it.
    await life.stop().catch((error: Error) => {
      process.stderr.write(`  ${error.message}\n`);
      process.exitCode = 1;
    });
  }
  if (flags.once && stop.signal.aborted) throw new Error('stopped before the report');
}

interface Demo {
  dir: string;
  life: Lifecycle;
  signal: AbortSignal;
}

async function demo(flags: DemoFlags, { dir, life, signal }: Demo): Promise<void> {
  const steps = createSteps(process.stderr);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const wan = { delayMs: flags.wanDelay, bitsPerSecond: flags.wanRate * 1e6 };
  say(`\n${paint(process.stderr, 'bold', 'Selvage')}: a cloud, two edge sites, one cluster, on this machine`);
  say(
    `  WAN simulated: ${wan.delayMs} ms each way and ${flags.wanRate} Mbit/s between the edge sites and the cloud\n`,
  );

  const images = await steps.run('images', (note) => findImages(flags, note));
  if (images.isGenerated)
    say('    GENERATED images, no photographs: the accuracy below says nothing of CIFAR-10');
  const { registry } = controlPlaneDir(dir);
  await steps.run('application built: camera, preprocess, classify, collector', () =>
    buildApplication({ registry, scratch: join(dir, 'build'), frames: images.test }),
  );
  const cluster = await steps.run('cluster: control plane and three agents', async (note) => {
    const started = await startCluster({
      dir,
      port: flags.port,
      wan,
      life,
      say: (text) => say(`    ${text}`),
    });
    note(`API ready in ${formatMs(started.apiReadyMs)}`);
    return started;
  });
  const firstPodReadyMs = await steps.run('first pod', async (note) => {
    await applyFile(cluster.client, manifests);
    const podReadyMs = await untilFirstPod(cluster);
    note(`Ready ${formatMs(podReadyMs)} after the first process was started`);
    return podReadyMs;
  });

  say(`  training on ${images.train.labels.length} images`);
  const trained = await trainNetwork(images, { epochs: flags.epochs, signal });
  say(`    test accuracy ${(100 * trained.testAccuracy).toFixed(1)} %`);
  await steps.run('model pushed to the registry', async (note) => {
    const options = {
      registry: cluster.registry,
      scratch: join(dir, 'model'),
      reference: modelReference,
    };
    await pushTrainedModel(trained.exported, options);
    note(
      `graph f ${formatBytes(trained.exported.graph.length)}, weights θ ${formatBytes(trained.exported.weights.length)}`,
    );
  });
  await steps.run('model served at both edges and in the cloud, application running', async () => {
    await applyFile(cluster.client, modelManifest);
    await untilApplicationAvailable(cluster.client);
  });

  const collectorUrl = await untilLoadBalancer(cluster.client, {
    namespace,
    name: 'collector',
    timeoutMs: addressTimeoutMs,
  });
  const classifyUrl = await untilLoadBalancer(cluster.client, {
    namespace,
    name: 'classify',
    timeoutMs: addressTimeoutMs,
  });
  const explainFailure = async (error: unknown): Promise<never> => {
    if (!signal.aborted) say(await lastPodLines(cluster).catch(() => ''));
    throw error;
  };
  const running = await steps
    .run(`application measured for ${flags.seconds} s`, () =>
      measureTraffic(cluster, { collectorUrl, seconds: flags.seconds, signal }),
    )
    .catch(explainFailure);
  const latency = await steps
    .run('edge compared with cloud', () => measureLatency(classifyUrl))
    .catch(explainFailure);

  const figures: Figures = {
    ...describeRun(images, trained),
    wan: { simulated: true, ...wan },
    boot: { apiReadyMs: cluster.apiReadyMs, firstPodReadyMs },
    latency,
    ...running,
    memory: measureMemory(cluster),
  };
  process.stdout.write(`\n${renderReport(figures)}\n`);
  if (flags.json) writeFileSync(flags.json, `${JSON.stringify(figures, null, 2)}\n`);
  if (!flags.once) process.stdout.write(tryNext(cluster, collectorUrl));
}

function findImages(flags: DemoFlags, note: (text: string) => void): Promise<Images> {
  return loadImages({ folder: flags.data, generated: flags.generated ?? false, note });
}

async function untilFirstPod(cluster: Cluster): Promise<number> {
  await untilPodReady(cluster.client, {
    namespace,
    labelSelector: 'app=collector',
    timeoutMs: firstPodTimeoutMs,
  });
  return performance.now() - cluster.startedMs;
}

function describeRun(
  images: Images,
  trained: TrainedNetwork,
): Pick<Figures, 'dataSet' | 'training' | 'model'> {
  const { exported, ...training } = trained;
  return {
    dataSet: {
      name: images.isGenerated ? 'generated images' : 'CIFAR-10',
      isGenerated: images.isGenerated,
      trainCount: images.train.labels.length,
      testCount: images.test.labels.length,
    },
    training,
    model: { graphBytes: exported.graph.length, weightsBytes: exported.weights.length },
  };
}

function tryNext(cluster: Cluster, collectorUrl: string): string {
  return `
The cluster stays up. Three things to try, in another terminal:

  export KUBECONFIG=${cluster.kubeconfig}
  kubectl get pods -n ${namespace} -o wide          # who runs where
  kubectl logs -n ${namespace} deployment/collector # or: curl ${collectorUrl}/
  kubectl scale deployment camera -n ${namespace} --replicas=4

Ctrl-C ends everything.
`;
}
