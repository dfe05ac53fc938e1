// Training in the cluster, by a real kubectl: what a job learns, that it goes on after kill -9 to the same bits, and that
// only a better model goes into service.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { dense, input, sequential, toJSON } from '../src/ml/index.ts';
import { type Background, eventually, missing, openShell, root, type Shell } from './shell.ts';

const skip = missing('kubectl');
const timeout = 400_000;
const longMs = 180_000;

test('a job learns from a table with a model in Keras JSON, and says at once what cannot be learned', {
  skip,
  timeout,
}, async (t) => {
  const { shell, up } = await cluster(t, (home) => `--allow-host-path ${home}`);
  const rows = Array.from(
    { length: 300 },
    (_, i) => `${(i % 20) / 20},${((i * 7) % 20) / 20},${i % 20 < 10 ? 'low' : 'high'}`,
  );
  writeFileSync(join(shell.home, 'points.csv'), `a,b,side\n${rows.join('\n')}\n`);
  await shell.run(`kubectl create configmap points --from-file=${join(shell.home, 'points.csv')}`);
  const model = sequential([
    input([2]),
    dense(8, { activation: 'relu' }),
    dense(2, { activation: 'softmax' }),
  ]);
  const spec = {
    dataset: { csv: { path: 'points.csv', label: 'side' }, volume: { configMap: { name: 'points' } } },
    model: { keras: JSON.stringify(toJSON(model)) },
    loss: { name: 'sparseCategoricalCrossentropy' },
    optimizer: { name: 'adam', learningRate: 0.05 },
    epochs: 30,
    seed: 3,
  };
  await apply(shell, 'sides', { ...spec, output: 'models/sides:v1' });
  await shell.run('kubectl wait --for=condition=Complete trainingjob/sides --timeout=180s', {
    timeoutMs: 200_000,
  });
  const status = await statusOf(shell, 'sides');
  assert.ok(status.result.metrics.accuracy > 0.9, JSON.stringify(status.result));
  assert.equal(status.result.examples, 60);
  assert.match(status.result.image, /^models\/sides@sha256:[0-9a-f]{64}$/);
  assert.match(
    await shell.run('kubectl get tj'),
    /^sides\s+Complete\s+30\/30\s+0\.\d{4}\s+(0\.9|1\.0)\d+\s/m,
  );
  const log = await shell.run('kubectl logs job/sides');
  assert.match(log, /^sequential\S*: \d+ parameters, 240 examples of points\.csv$/m);
  assert.match(log, /^Epoch 30\/30 ━+ loss 0\.\d{4} {2}accuracy \d\.\d{4} {2}[\d,]+ images\/s/m);
  await eventually(async () =>
    assert.match(
      await shell.run('kubectl describe tj sides'),
      /Normal\s+Completed\s.*Trained, pushed as models\/sides@sha256:/,
    ),
  );

  await apply(shell, 'nowhere', {
    ...spec,
    dataset: { ...spec.dataset, csv: { path: 'absent.csv', label: 'side' } },
  });
  await shell.run('kubectl wait --for=condition=Failed trainingjob/nowhere --timeout=180s', {
    timeoutMs: 200_000,
  });
  const failed = (await statusOf(shell, 'nowhere')).conditions[0]!;
  assert.equal(failed.reason, 'InvalidTraining');
  assert.match(failed.message, /absent\.csv/);

  // The same table, where it lies on the node.
  const volume = { hostPath: { path: shell.home } };
  await apply(shell, 'later', { ...spec, dataset: { ...spec.dataset, volume }, suspend: true });
  await shell.run('kubectl wait --for=condition=Suspended trainingjob/later --timeout=60s');
  assert.match(
    await shell.run('kubectl get pods -l learning.selvage.dev/trainingjob=later'),
    /No resources found/,
  );
  await shell.run(`kubectl patch tj later --type=merge -p '{"spec":{"suspend":false}}'`);
  await shell.run('kubectl wait --for=condition=Complete trainingjob/later --timeout=180s', {
    timeoutMs: 200_000,
  });
  await shell.run(`kubectl patch tj later --type=merge -p '{"spec":{"ttlSecondsAfterFinished":0}}'`);
  // Done and no longer kept: it is gone with its Job and its checkpoints.
  await eventually(async () => {
    assert.equal(await shell.run('kubectl get tj later --ignore-not-found'), '');
    const left = await shell.run('kubectl get jobs,pvc,pods -l learning.selvage.dev/trainingjob=later');
    assert.match(left, /No resources found/);
  }, longMs);
  const refused = await shell.run(`kubectl patch tj sides --type=merge -p '{"spec":{"epochs":31}}'`, {
    code: 1,
  });
  assert.match(refused, /spec\.epochs: Invalid value: 31: field is immutable/);
  await end(up);
});

test("kill -9 of a job's pod, and of the server, leaves the same bits", {
  skip,
  timeout,
}, async (t) => {
  const { shell, up } = await cluster(t);
  await shell.run('selvage build examples/training -t mine-network:1');
  const spec = {
    ...generated(800),
    epochs: 24,
    threads: 1,
    checkpoint: { everyBatches: 10 },
    output: 'models/killed:v1',
  };
  await apply(shell, 'killed', spec);
  await untilLog(shell, 'job/killed', /^Epoch +2\/24 /m);
  const [first] = await names(shell, 'killed');
  // Its pod is asked to end, which is no failure, and another one goes on.
  await shell.run(`kubectl patch tj killed --type=merge -p '{"spec":{"suspend":true}}'`);
  await shell.run('kubectl wait --for=condition=Suspended trainingjob/killed --timeout=60s');
  await eventually(async () =>
    assert.equal(await shell.run(`kubectl get ${first} --ignore-not-found -o name`), ''),
  );
  assert.match(await shell.run('kubectl get tj killed'), /^killed\s+Suspended\s/m);
  await shell.run(`kubectl patch tj killed --type=merge -p '{"spec":{"suspend":false}}'`);
  await untilLog(shell, 'job/killed', /^going on from the checkpoint of step \d+$/m);
  const pods = await names(shell, 'killed');
  assert.equal(pods.length, 1);
  const uid = await shell.run(`kubectl get ${pods[0]} -o jsonpath={.metadata.uid}`);
  const [pid, ...others] = processesOf(uid);
  assert.deepEqual(others, []);
  process.kill(pid!, 'SIGKILL');
  await apply(shell, 'whole', { ...spec, output: 'models/whole:v1' });
  await untilLog(shell, 'job/whole', /^Epoch +2\/24 /m);
  // Without a server the training goes on, and its result waits for the next one, at another port.
  up.process.kill('SIGKILL');
  await up.exited;
  const again = shell.start('selvage up --port 0');
  await again.until(/API ready/);
  for (const name of ['killed', 'whole'])
    await shell.run(`kubectl wait --for=condition=Complete trainingjob/${name} --timeout=300s`, {
      timeoutMs: 310_000,
    });

  const [killed, whole] = [await statusOf(shell, 'killed'), await statusOf(shell, 'whole')];
  assert.equal(killed.failed, 1);
  const { resumedFromStep = 0 } = killed.progress;
  assert.ok(resumedFromStep >= 10, JSON.stringify(killed.progress));
  assert.equal(whole.progress.resumedFromStep, undefined);
  const [next] = (await names(shell, 'killed')).filter((name) => name !== pods[0]);
  assert.match(
    await shell.run(`kubectl logs ${next}`),
    new RegExp(`^going on from the checkpoint of step ${resumedFromStep}$`, 'm'),
  );
  // Graph, weights and what was measured: one digest over all of it.
  assert.equal(killed.result.image.split('@')[1], whole.result.image.split('@')[1]);
  assert.equal(whole.failed, undefined);
  await end(again);
});

test('a trained model goes into service only where it is better than the one there', {
  skip,
  timeout,
}, async (t) => {
  const { shell, up } = await cluster(t);
  await shell.run('selvage build examples/training -t mine-network:1');
  const weak = { ...generated(200), optimizer: { name: 'sgd', learningRate: 1e-6 }, epochs: 1 };
  const strong = { ...generated(1500), epochs: 4 };
  const storageUri = () => shell.run(`kubectl get isvc mine -o jsonpath={.spec.predictor.model.storageUri}`);
  const promoted = async (name: string) =>
    (await statusOf(shell, name)).conditions.find(({ type }) => type === 'Promoted')!;
  const complete = async (name: string) => {
    await shell.run(`kubectl wait --for=condition=Complete trainingjob/${name} --timeout=180s`, {
      timeoutMs: 200_000,
    });
  };

  await apply(shell, 'first', { ...weak, output: 'models/mine:v1' });
  await complete('first');
  const predictor = { model: { modelFormat: { name: 'onnx' }, storageUri: 'oci://models/mine:v1' } };
  await applyObject(shell, {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name: 'mine' },
    spec: { predictor },
  });
  await shell.run('kubectl wait --for=condition=Ready inferenceservice/mine --timeout=180s', {
    timeoutMs: 200_000,
  });

  await apply(shell, 'better', {
    ...strong,
    output: 'models/mine:v2',
    promote: { inferenceService: 'mine', canaryTrafficPercent: 30 },
  });
  await complete('better');
  const { result } = await statusOf(shell, 'better');
  assert.equal((await promoted('better')).status, 'True', JSON.stringify(result));
  assert.ok(result.metrics.accuracy > result.serving!.metrics.accuracy);
  assert.equal(result.serving!.image, 'oci://models/mine:v1');
  assert.equal(await storageUri(), `oci://${result.image}`);
  // It begins as a canary, which a person promotes.
  const shares = '{range .status.components.predictor.traffic[*]}{.revisionName}={.percent} {end}';
  const untilShared = (expected: string) =>
    eventually(async () => {
      assert.equal(await shell.run(`kubectl get isvc mine -o jsonpath='${shares}'`), expected);
    }, longMs);
  await untilShared('mine-predictor-00002=30 mine-predictor-00001=70 ');
  await shell.run(
    `kubectl patch isvc mine --type=merge -p '{"spec":{"predictor":{"canaryTrafficPercent":null}}}'`,
  );
  await untilShared('mine-predictor-00002=100 ');

  await apply(shell, 'worse', { ...weak, output: 'models/mine:v3', promote: { inferenceService: 'mine' } });
  await complete('worse');
  const { status, reason, message } = await promoted('worse');
  assert.deepEqual([status, reason], ['False', 'NotBetter'], message);
  assert.equal(await storageUri(), `oci://${result.image}`, 'a worse model was put into service');
  await eventually(async () =>
    assert.match(await shell.run('kubectl describe tj worse'), /Warning\s+NotPromoted/),
  );

  await apply(shell, 'aimless', {
    ...weak,
    output: 'models/mine:v4',
    promote: { inferenceService: 'absent' },
  });
  await complete('aimless');
  assert.equal((await promoted('aimless')).reason, 'NotFound');
  await end(up);
});

test('the example works as printed', { skip, timeout }, async (t) => {
  const { shell, up } = await cluster(t);
  const page = readFileSync(join(root, 'examples/training/README.md'), 'utf8');
  const lines = /```\n([\s\S]*?)```/.exec(page)![1]!.trim().split('\n');
  assert.equal(lines.length, 5);
  const [start, build, create, watch, log] = lines as [string, string, string, string, string];
  assert.equal(start, 'selvage up &');
  await shell.run(build);
  assert.match(await shell.run(create), /trainingjob\.learning\.selvage\.dev\/mine created/);
  assert.match(watch, / -w$/);
  // Before its pod has a node there is nothing to follow; a person looks later.
  await eventually(
    async () => assert.match(await shell.run(log, { timeoutMs: longMs }), /^Epoch 5\/5 ━{24} /m),
    longMs,
  );
  await shell.run('kubectl wait --for=condition=Complete trainingjob/mine --timeout=180s', {
    timeoutMs: longMs,
  });
  assert.match(await shell.run(watch.replace(/ -w$/, '')), /^mine\s+Complete\s+5\/5\s/m);
  assert.match((await statusOf(shell, 'mine')).result.image, /^models\/mine@sha256:/);
  await end(up);
});

async function untilLog(shell: Shell, of: string, line: RegExp): Promise<void> {
  await eventually(async () => assert.match(await shell.run(`kubectl logs ${of}`), line), longMs);
}

async function cluster(
  t: TestContext,
  flags: (home: string) => string = () => '',
): Promise<{ shell: Shell; up: Background }> {
  const shell = openShell(t);
  const up = shell.start(`selvage up --port 0 ${flags(shell.home)}`);
  await up.until(/API ready/);
  return { shell, up };
}

async function end(up: Background): Promise<void> {
  up.process.kill('SIGINT');
  assert.equal(await up.exited, 0, up.output());
}

const generated = (train: number) => ({
  dataset: { generated: { train, test: 300 } },
  model: { module: { image: 'mine-network:1' } },
  loss: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
});

const apply = (shell: Shell, name: string, spec: object) =>
  applyObject(shell, {
    apiVersion: 'learning.selvage.dev/v1alpha1',
    kind: 'TrainingJob',
    metadata: { name },
    spec,
  });

async function applyObject(
  shell: Shell,
  object: { kind: string; metadata: { name: string }; [field: string]: unknown },
): Promise<void> {
  const path = join(shell.home, `${object.kind}-${object.metadata.name}.json`);
  writeFileSync(path, JSON.stringify(object));
  await shell.run(`kubectl apply -f ${path}`);
}

interface Status {
  failed?: number;
  conditions: { type: string; status: string; reason: string; message: string }[];
  progress: { resumedFromStep?: number };
  result: {
    image: string;
    examples: number;
    metrics: { accuracy: number };
    serving?: { image: string; metrics: { accuracy: number } };
  };
}

async function statusOf(shell: Shell, name: string): Promise<Status> {
  return (JSON.parse(await shell.run(`kubectl get tj ${name} -o json`)) as { status: Status }).status;
}

async function names(shell: Shell, job: string): Promise<string[]> {
  const found = await shell.run(`kubectl get pods -l learning.selvage.dev/trainingjob=${job} -o name`);
  return found.trim().split('\n');
}

/** The processes of a pod: their command lines name its volumes. */
function processesOf(uid: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      return line.includes(uid) && line.includes('isolate') ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
