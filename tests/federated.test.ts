// Federated training over three sites, by a real kubectl: one of them dies in the middle of a round, then the coordinator
// is killed; the rounds go on by quorum, and the joined model is pushed.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { epsilonOf } from '../src/learning/federated/privacy.ts';
import { type Background, eventually, missing, openShell, type Shell } from './shell.ts';

const skip = missing('kubectl');
const timeout = 600_000;
const longMs = 240_000;
const rounds = 12;

test('sites train together, though one dies in a round and the coordinator is killed', {
  skip,
  timeout,
}, async (t) => {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  const port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(await up.until(/API ready/))![1]!;
  const sites = new Map<string, Background>();
  for (const name of ['site-a', 'site-b', 'site-c']) sites.set(name, await startSite(shell, port, name));
  await shell.run('selvage build examples/training -t mine-network:1');
  const common = {
    dataset: { generated: { train: 900, test: 200 } },
    nodeSelector: { data: 'here' },
    model: { module: { image: 'mine-network:1' } },
    loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    optimizer: { learningRate: 0.005 },
    threads: 1,
  };
  await seePrivateRounds(shell, common);
  // Noise has spoilt that model: it is what the next one has to beat.
  const model = { modelFormat: { name: 'onnx' }, storageUri: 'oci://models/secret:v1' };
  await applyObject(shell, {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name: 'mine' },
    spec: { predictor: { minReplicas: 0, model } },
  });
  await apply(shell, 'together', {
    ...common,
    epochs: 2,
    output: 'models/together:v1',
    promote: { inferenceService: 'mine' },
    federated: {
      rounds,
      quorum: 2,
      deadlineSeconds: 20,
      algorithm: 'FedProx',
      mu: 0.01,
      clipNorm: 50,
      encoding: 'int8',
      partition: { concentration: 5 },
    },
  });
  await eventually(async () => {
    const { round = 0 } = (await statusOf(shell)).federated ?? {};
    assert.ok(round >= 2, await shell.run('kubectl get pods -o wide'));
  }, longMs);

  const [coordinator] = await podsOf(shell, 'coordinator');
  const [lost, ...others] = [...sites.keys()].filter((name) => name !== coordinator!.node);

  // A site without power: its agent, its shim and its pod end at once.
  for (const pid of processesNaming(join(shell.home, lost!))) process.kill(pid, 'SIGKILL');
  await sites.get(lost!)!.exited;
  await eventually(
    async () => assert.match(await shell.run('kubectl logs job/together'), /2 updates, 1 dropped out/),
    longMs,
  );

  const roundThen = (await statusOf(shell)).federated!.round!;
  assert.ok(roundThen < rounds, `the rounds were over before the coordinator could be killed: ${roundThen}`);
  const killed = processesNaming(coordinator!.uid);
  assert.equal(killed.length, 1, JSON.stringify(killed));
  process.kill(killed[0]!, 'SIGKILL');
  await shell.run('kubectl wait --for=condition=Complete trainingjob/together --timeout=400s', {
    timeoutMs: 410_000,
  });

  const next = (await podsOf(shell, 'coordinator')).find(({ uid }) => uid !== coordinator!.uid)!;
  const log = await shell.run(`kubectl logs ${next.name}`);
  const resumed = Number(/^going on with round (\d+) of 12/m.exec(log)?.[1]);
  assert.ok(resumed >= roundThen, log);
  assert.match(log, /^round 12 of 12: 2 updates/m);
  const { federated, result, failed, progress, conditions } = await statusOf(shell);
  assert.equal(failed, 1);
  assert.deepEqual([federated!.round, federated!.participants, federated!.refused], [rounds, 2, 0]);
  assert.match(result!.image, /^models\/together@sha256:[0-9a-f]{64}$/);
  // Both sites that are left measured it on their 200 images of ten classes, unless one was too slow for the deadline.
  assert.ok([200, 400].includes(result!.examples), JSON.stringify(result));
  assert.ok(result!.metrics.accuracy > 0.3, JSON.stringify(result));
  assert.equal(progress.epoch, rounds);
  const promoted = conditions.find(({ type }) => type === 'Promoted');
  assert.equal(promoted?.status, 'True', JSON.stringify({ promoted, result }));
  assert.equal(result!.serving?.image, 'oci://models/secret:v1');
  const uri = '{.spec.predictor.model.storageUri}';
  assert.equal(await shell.run(`kubectl get isvc mine -o jsonpath=${uri}`), `oci://${result!.image}`);
  assert.match(await shell.run('kubectl get tj together'), /^together\s+Complete\s+12\/12\s/m);
  // The sites that are left have heard that it is over, and nobody has a token of the API server.
  await eventually(async () => {
    const clients = await podsOf(shell, 'client');
    const phases = clients.filter(({ node }) => node !== lost).map(({ phase }) => phase);
    assert.deepEqual(phases, ['Succeeded', 'Succeeded']);
    assert.ok(clients.every(({ automount }) => automount === false));
  });
  assert.match(
    await shell.run(`kubectl logs together-client-${others[0]}`),
    /^round \d+: trained on \d+ examples, sent \d+ bytes$/m,
  );
  sites.delete(lost!);
  for (const site of sites.values()) await end(site);
  await end(up);
});

/** Rounds whose updates are shortened and hidden by noise, and what that has cost. */
async function seePrivateRounds(shell: Shell, common: object): Promise<void> {
  await apply(shell, 'secret', {
    ...common,
    output: 'models/secret:v1',
    federated: {
      rounds: 2,
      deadlineSeconds: 60,
      clipNorm: 1,
      noiseMultiplier: 1.5,
      delta: 0.001,
      partition: {},
    },
  });
  await shell.run('kubectl wait --for=condition=Complete trainingjob/secret --timeout=300s', {
    timeoutMs: 310_000,
  });
  const { federated, result } = await statusOf(shell, 'secret');
  // Two Gaussian mechanisms without sampling.
  assert.equal(federated!.delta, 0.001);
  const { epsilon = 0 } = federated!;
  const stated = epsilonOf({ samplingRate: 1, noiseMultiplier: 1.5, rounds: 2, delta: 0.001 });
  assert.ok(Math.abs(epsilon - stated) < 1e-6 && stated > 1, `${epsilon}, not ${stated}`);
  assert.match(result!.image, /^models\/secret@sha256:/);
  assert.match(await shell.run('kubectl logs job/secret'), /^round 2 of 2: 3 updates, 0 dropped out/m);
}

async function startSite(shell: Shell, port: string, name: string): Promise<Background> {
  const site = shell.start(
    `selvage agent --server https://127.0.0.1:${port} --token-file ${shell.home}/.selvage/server/join-token ` +
      `--name ${name} --zone ${name} --label data=here --data-dir ${shell.home}/${name} --stop-pods`,
  );
  await site.until(new RegExp(`node "${name}" is up`));
  await eventually(async () =>
    assert.match(await shell.run('kubectl get nodes'), new RegExp(`^${name}\\s+Ready`, 'm')),
  );
  return site;
}

async function end(background: Background): Promise<void> {
  background.process.kill('SIGINT');
  assert.equal(await background.exited, 0, background.output());
}

async function apply(shell: Shell, name: string, spec: object): Promise<void> {
  const kind = { apiVersion: 'learning.selvage.dev/v1alpha1', kind: 'TrainingJob' };
  await applyObject(shell, { ...kind, metadata: { name }, spec });
}

async function applyObject(shell: Shell, object: object): Promise<void> {
  const path = join(shell.home, 'object.json');
  writeFileSync(path, JSON.stringify(object));
  await shell.run(`kubectl apply -f ${path}`);
}

interface Status {
  failed?: number;
  progress: { epoch?: number };
  federated?: { round?: number; participants?: number; refused?: number; epsilon?: number; delta?: number };
  conditions: { type: string; status: string; message?: string }[];
  result?: { image: string; examples: number; metrics: { accuracy: number }; serving?: { image: string } };
}

async function statusOf(shell: Shell, name = 'together'): Promise<Status> {
  const job = JSON.parse(await shell.run(`kubectl get tj ${name} -o json`)) as { status?: Status };
  return job.status ?? { progress: {}, conditions: [] };
}

async function podsOf(shell: Shell, role: string) {
  const found = JSON.parse(
    await shell.run(
      `kubectl get pods -l learning.selvage.dev/role=${role},learning.selvage.dev/trainingjob=together -o json`,
    ),
  ) as {
    items: {
      metadata: { name: string; uid: string };
      spec: { nodeName: string; automountServiceAccountToken?: boolean };
      status: { phase: string };
    }[];
  };
  return found.items.map(({ metadata: { name, uid }, spec, status: { phase } }) => {
    return { name, uid, phase, node: spec.nodeName, automount: spec.automountServiceAccountToken };
  });
}

/** Processes whose command line has this word: a pod's names its volumes, a node's its data folder. */
function processesNaming(word: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
