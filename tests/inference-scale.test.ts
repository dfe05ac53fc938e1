// InferenceServices that change while they are asked, by a real kubectl: new weights in place, pods as they are needed.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { dataStatistics, tensor } from '../src/ml/index.ts';
import {
  apply,
  artifact,
  build,
  type ModelCluster,
  modelCluster,
  predictPath,
  service,
} from './model-cluster.ts';
import { eventually, missing } from './shell.ts';

const served = '{.status.annotations.selvage\\.dev/model-reference}';
const ingress = '{.status.loadBalancer.ingress[0].ip}:{.status.loadBalancer.ingress[0].ports[0].port}';
/** Knative's least. */
const shortWindow = { 'autoscaling.knative.dev/window': '6s' };

test('InferenceServices that change while they are asked', {
  skip: missing('kubectl', 'curl'),
  timeout: 1_800_000,
  concurrency: 3,
}, async (t) => {
  const cluster = await modelCluster(t);
  const remove = (...names: string[]) => cluster.shell.run(`kubectl delete isvc ${names.join(' ')}`);
  // They wait for windows to pass most of the time: side by side.
  await Promise.all([
    t.test('new weights of a model', (inner) => newWeights(inner, cluster)),
    t.test('a predictor that may go to zero', (inner) => toZero(inner, cluster)),
    t.test('a predictor with a maximum has more pods while many ask at a time', () => withMaximum(cluster)),
  ]);
  await remove('swap', 'zero', 'lost', 'many');
  await t.test('a model at the edge', (inner) => atTheEdge(inner, cluster));
});

async function newWeights(t: TestContext, { shell, ask, shows }: ModelCluster): Promise<void> {
  for (const value of [1, 2]) await build(shell, `m:v${value}`, artifact(value));
  const podNames = () =>
    shell.run("kubectl get pods -l app=swap-predictor -o jsonpath='{.items[*].metadata.name}'");
  const servedNow = () => shell.run(`kubectl get isvc swap -o jsonpath='${served}'`);
  const set = (uri: string, annotations = {}) =>
    apply(shell, service('swap', uri, { minReplicas: 2 }, { annotations }));
  await set('oci://m:v1');
  await shell.run('kubectl wait --for=condition=Ready isvc/swap --timeout=120s');
  await shows('isvc swap', served, /^m:v1@sha256:[0-9a-f]{64}$/);
  await shows('deployment swap-predictor', '{.status.readyReplicas}', '2');
  const pods = await podNames();

  await t.test('go live in place, without a request that fails or is answered by anything else', async () => {
    let isDone = false;
    const counts: Record<string, number> = {};
    const load = (async () => {
      while (!isDone) {
        const told = await ask(predictPath('swap'), 100, 4);
        for (const [answer, count] of Object.entries(told)) counts[answer] = (counts[answer] ?? 0) + count;
      }
    })();
    await eventually(() => assert.ok(counts[1]! > 0));
    await set('oci://m:v2');
    await shows('isvc swap', served, /^m:v2@sha256:/);
    assert.deepEqual(await ask(predictPath('swap'), 50, 4), { 2: 50 }, 'what the status says is so');
    isDone = true;
    await load;
    assert.deepEqual(Object.keys(counts).sort(), ['1', '2'], JSON.stringify(counts));
    assert.equal(await podNames(), pods, 'no pod was started anew');
    await eventually(async () =>
      assert.match(await shell.run('kubectl get events'), /ModelServed .*All pods serve m:v2@sha256:/),
    );
    await shows('isvc swap', '{.status.components.predictor.latestReadyRevision}', 'swap-predictor-00002');
    await shows('isvc swap', '{.status.modelStatus.transitionStatus}', 'UpToDate');
  });

  await t.test('a pod that comes later begins with them', async () => {
    await shell.run(`kubectl delete pod ${pods.split(' ')[0]}`);
    await shows('deployment swap-predictor', '{.status.readyReplicas}', '2');
    assert.deepEqual(await ask(predictPath('swap'), 50, 4), { 2: 50 });
  });

  await t.test('a tag that is pushed anew is followed', async () => {
    const [before, earlier] = [await podNames(), await servedNow()];
    await build(shell, 'm:v2', artifact(3));
    await eventually(async () => assert.deepEqual(await ask(predictPath('swap'), 20, 4), { 3: 20 }), 120_000);
    assert.equal(await podNames(), before);
    await eventually(async () => assert.notEqual(await servedNow(), earlier));
    await shows('isvc swap', '{.status.modelStatus.transitionStatus}', 'UpToDate');
  });

  await t.test('weights that can not be served are not, and the status does not say so', async () => {
    const reference = await servedNow();
    await build(shell, 'm:broken', { ...artifact(4), 'weights.safetensors': 'no weights' });
    await set('oci://m:broken');
    await shows('isvc swap', '{.status.modelStatus.transitionStatus}', 'BlockedByFailedLoad');
    const failure =
      '{.status.modelStatus.lastFailureInfo.reason} {.status.modelStatus.lastFailureInfo.message}';
    await shows('isvc swap', failure, /^ModelLoadFailed .*not a safetensors file/);
    assert.equal(await servedNow(), reference);
    assert.deepEqual(await ask(predictPath('swap'), 20, 4), { 3: 20 });
    await set('oci://m:v1');
    await shows('isvc swap', served, /^m:v1@sha256:/);
    assert.deepEqual(await ask(predictPath('swap'), 20, 4), { 1: 20 });
  });

  await t.test('an annotation asks for a rollout instead', async () => {
    const before = await podNames();
    await set('oci://m:v2', { 'selvage.dev/force-rollout': 'true' });
    await shows('isvc swap', served, /^m:v2@sha256:/);
    await eventually(async () => {
      const after = await podNames();
      assert.ok(
        before.split(' ').every((name) => !after.includes(name)),
        `${before} -> ${after}`,
      );
    });
    assert.deepEqual(await ask(predictPath('swap'), 20, 4), { 3: 20 });
  });
}

async function toZero(t: TestContext, { shell, ask, shows }: ModelCluster): Promise<void> {
  await build(shell, 'zero:v1', artifact(1));
  await apply(shell, service('zero', 'oci://zero:v1', { minReplicas: 0 }, { annotations: shortWindow }));
  await shell.run('kubectl wait --for=condition=Ready isvc/zero --timeout=120s');
  const isAsleep = async () => {
    await shows('deployment zero-predictor', '{.spec.replicas}', '0');
    await eventually(async () =>
      assert.match(await shell.run('kubectl get pods -l app=zero-predictor'), /No resources found/),
    );
  };

  await t.test('goes when nobody asks, and is Ready all the same', async () => {
    await isAsleep();
    await shows('isvc zero', '{.status.conditions[?(@.type=="Ready")].status}', 'True');
    await shows('isvc zero', '{.status.modelStatus.states.activeModelState}', 'Standby');
  });

  await t.test('comes back for the first requests, which wait for it', async () => {
    assert.deepEqual(await ask(predictPath('zero'), 20, 10), { 1: 20 });
  });

  await t.test('also for those that come from outside, by a load balancer or a node port', async () => {
    // One that other clusters of this machine hardly have.
    const nodePort = 30_100 + (process.pid % 2_600);
    const spec = { type: 'LoadBalancer', ports: [{ port: 80, nodePort }] };
    await shell.run(`kubectl patch service zero-predictor -p '${JSON.stringify({ spec })}'`);
    await shows('service zero-predictor', ingress, /^127\.[\d.]+:\d+$/);
    const balancer = await shell.run(`kubectl get service zero-predictor -o jsonpath='${ingress}'`);
    const internal = '{.status.addresses[?(@.type=="InternalIP")].address}';
    const node = await shell.run(`kubectl get node local -o jsonpath='${internal}'`);
    await isAsleep();
    const answers = async (address: string) => {
      const at = `http://${address}/v1/models/zero:predict`;
      const told = await shell.run(`curl -sS -m 100 ${at} -d '{"instances":[[1,1]]}'`);
      assert.deepEqual(JSON.parse(told), { predictions: [[1]] });
    };
    await Promise.all([answers(balancer), eventually(() => answers(`${node}:${nodePort}`))]);
  });

  await t.test('who waits in vain is told when to try again', async () => {
    const nowhere = { minReplicas: 0, timeout: 1, nodeSelector: { 'kubernetes.io/hostname': 'none' } };
    await apply(shell, service('lost', 'oci://zero:v1', nowhere, { annotations: shortWindow }));
    await eventually(async () => assert.deepEqual(await ask(predictPath('lost'), 1), { 503: 1 }));
    await shell.run(`kubectl patch service lost-predictor -p '{"spec":{"type":"LoadBalancer"}}'`);
    await shows('service lost-predictor', ingress, /^127\.[\d.]+:\d+$/);
    const address = await shell.run(`kubectl get service lost-predictor -o jsonpath='${ingress}'`);
    const told = await shell.run(
      `curl -sSi -m 100 http://${address}/v1/models/lost:predict -d '{"instances":[]}'`,
    );
    assert.match(told, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    assert.match(told, /^retry-after: 5\r$/m);
    assert.match(told, /"Service \\"lost-predictor\\" .* has no ready endpoints; none came within 1 s"/);
  });
}

async function withMaximum({ shell, ask, shows }: ModelCluster): Promise<void> {
  await build(shell, 'many:v1', artifact(1));
  const many = { minReplicas: 1, maxReplicas: 3, scaleTarget: 1, scaleMetric: 'concurrency' };
  await apply(shell, service('many', 'oci://many:v1', many, { annotations: shortWindow }));
  await shell.run('kubectl wait --for=condition=Ready isvc/many --timeout=120s');
  let isDone = false;
  const load = (async () => {
    while (!isDone) assert.ok((await ask(predictPath('many'), 500, 16))[1]! > 0);
  })();
  await shows('deployment many-predictor', '{.status.readyReplicas}', '3');
  isDone = true;
  await load;
  await shows('deployment many-predictor', '{.spec.replicas}', '1');
  await apply(shell, service('many', 'oci://many:v1', { ...many, scaleMetric: 'cpu', scaleTarget: 50 }));
  await shows(
    'hpa many-predictor',
    '{.spec.minReplicas} {.spec.maxReplicas} {.spec.metrics[0].resource.name} {.spec.metrics[0].resource.target.averageUtilization}',
    '1 3 cpu 50',
  );
  await apply(shell, service('many', 'oci://many:v1', many));
  await eventually(async () => assert.match(await shell.run('kubectl get hpa'), /No resources found/));
}

async function atTheEdge(t: TestContext, { shell, ask, shows, url }: ModelCluster): Promise<void> {
  mkdirSync(join(shell.home, 'edge'));
  const agent = shell.start(
    `selvage agent --server ${url} --token-file ${shell.home}/.selvage/server/join-token --name edge --zone site-1 ` +
      `--data-dir ${shell.home}/edge --stop-pods`,
  );
  await agent.until(/node "edge" is up/);
  const on = (name: string) => ({ nodeSelector: { 'kubernetes.io/hostname': name } });
  const known = Float32Array.from({ length: 1_000 }, (_, at) => 10 + Math.sin(at));
  const statistics = dataStatistics(tensor(known, [500, 2]));
  await build(shell, 'small:v1', artifact([0, 0], { statistics }));
  await build(shell, 'big:v1', artifact([0, 9]));
  const bigger = [
    { name: 'ESCALATE_URL', value: 'http://big-predictor/v2/models/big/infer' },
    { name: 'ESCALATE_BELOW', value: '0.9' },
    { name: 'ESCALATE_RATE', value: '1000' },
  ];
  const small = {
    ...on('edge'),
    model: { modelFormat: { name: 'onnx' }, storageUri: 'oci://small:v1', env: bigger },
  };
  await apply(shell, service('big', 'oci://big:v1', on('local')));
  await apply(shell, service('small', '', small));
  await shell.run('kubectl wait --for=condition=Ready isvc/big isvc/small --timeout=120s');

  await t.test('asks the bigger one on another node what it is not sure of', async () => {
    await eventually(async () => assert.deepEqual(await ask(predictPath('small'), 20), { '0,9': 20 }));
  });

  await t.test('answers itself when that one is not there', async () => {
    await shell.run('kubectl annotate isvc big serving.kserve.io/stop=true');
    await eventually(async () => assert.deepEqual(await ask(predictPath('small'), 20), { '0,0': 20 }));
  });

  await t.test('says when it is asked other things than it learned from', async () => {
    const drift = '{.status.conditions[?(@.type=="ModelDrift")].status}';
    await eventually(async () => {
      await ask(predictPath('small'), 100);
      assert.equal(await shell.run(`kubectl get isvc small -o jsonpath='${drift}'`), 'True');
    }, 120_000);
    await eventually(async () =>
      assert.match(
        await shell.run('kubectl describe isvc small'),
        /Warning +ModelDrift .*What is asked differs from the training set: the stability index is \d+\.\d\d/,
      ),
    );
    await shows('isvc small', '{.status.conditions[?(@.type=="Ready")].status}', 'True');
  });
}
