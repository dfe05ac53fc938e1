// Federated training over three sites, by a real kubectl: one of them dies in the middle of a round, then the coordinator
// is killed; the rounds go on by quorum, and the joined model is pushed.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
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
  await apply(shell, {
    dataset: { generated: { train: 900, test: 200 } },
    nodeSelector: { data: 'here' },
    model: { module: { image: 'mine-network:1' } },
    loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    optimizer: { learningRate: 0.005 },
    epochs: 2,
    threads: 1,
    output: 'models/together:v1',
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
  const { federated, result, failed, progress } = await statusOf(shell);
  assert.equal(failed, 1);
  assert.deepEqual([federated!.round, federated!.participants, federated!.refused], [rounds, 2, 0]);
  assert.match(result!.image, /^models\/together@sha256:[0-9a-f]{64}$/);
  // Both sites that are left measured it on their 200 images of ten classes, unless one was too slow for the deadline.
  assert.ok([200, 400].includes(result!.examples), JSON.stringify(result));
  assert.ok(result!.metrics.accuracy > 0.3, JSON.stringify(result));
  assert.equal(progress.epoch, rounds);
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

async function apply(shell: Shell, spec: object): Promise<void> {
  const path = join(shell.home, 'together.json');
  const kind = { apiVersion: 'learning.selvage.dev/v1alpha1', kind: 'TrainingJob' };
  writeFileSync(path, JSON.stringify({ ...kind, metadata: { name: 'together' }, spec }));
  await shell.run(`kubectl apply -f ${path}`);
}

interface Status {
  failed?: number;
  progress: { epoch?: number };
  federated?: { round?: number; participants?: number; refused?: number };
  result?: { image: string; examples: number; metrics: { accuracy: number } };
}

async function statusOf(shell: Shell): Promise<Status> {
  const job = JSON.parse(await shell.run('kubectl get tj together -o json')) as { status?: Status };
  return job.status ?? { progress: {} };
}

async function podsOf(shell: Shell, role: string) {
  const found = JSON.parse(
    await shell.run(`kubectl get pods -l learning.selvage.dev/role=${role} -o json`),
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
