// Claims and volumes by a real kubectl: what a pod wrote is there again, and goes when its claim goes.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Background, eventually, missing, openShell, type Shell } from './shell.ts';

/** Adds a line to a file in its claim at every start, and answers with all lines. */
const program = `
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
const file = join(JSON.parse(process.env.SELVAGE_MOUNTS)['/data'], 'starts');
appendFileSync(file, process.env.HOSTNAME + '\\n');
console.log('starts ' + readFileSync(file, 'utf8').trim().split('\\n').length);
export default { fetch: () => new Response(readFileSync(file)) };
`;

const claimTemplate = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};
const container = {
  name: 'main',
  image: 'keeper:1',
  volumeMounts: [{ name: 'data', mountPath: '/data' }],
};

const keeper = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'keeper' },
  spec: {
    serviceName: 'keeper',
    replicas: 2,
    selector: { matchLabels: { app: 'keeper' } },
    template: {
      metadata: { labels: { app: 'keeper' } },
      spec: { terminationGracePeriodSeconds: 1, containers: [container] },
    },
    volumeClaimTemplates: [claimTemplate],
  },
};

const podUsing = (name: string, volume: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [container],
    volumes: [{ name: 'data', ...volume }],
  },
});

async function start(shell: Shell): Promise<Background> {
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  return up;
}

async function cluster(t: TestContext): Promise<Shell & { up: Background }> {
  const shell = openShell(t);
  const up = await start(shell);
  const folder = join(shell.home, 'keeper');
  mkdirSync(folder);
  writeFileSync(join(folder, 'main.mjs'), program);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'keeper', main: 'main.mjs', type: 'module' }),
  );
  await shell.run(`selvage build ${folder} -t keeper:1`);
  return { ...shell, up };
}

async function apply(shell: Shell, name: string, manifest: object): Promise<string> {
  const file = join(shell.home, `${name}.json`);
  writeFileSync(file, JSON.stringify(manifest));
  return shell.run(`kubectl apply -f ${file}`);
}

test('what pods keep in their claims', { skip: missing('kubectl'), timeout: 600_000 }, async (t) => {
  const shell = await cluster(t);
  const folders = () => {
    const folder = join(shell.home, '.selvage', 'node', 'volumes');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  const path = (what: string, path: string) => shell.run(`kubectl get ${what} -o jsonpath='${path}'`);
  const rolledOut = () => shell.run('kubectl rollout status statefulset/keeper --timeout=60s');
  const isGone = (what: string) => shell.run(`kubectl wait --for=delete ${what} --timeout=60s`);
  const starts = async (pod: string, count: number) =>
    assert.match(await shell.run(`kubectl logs ${pod}`), new RegExp(`^starts ${count}$`, 'm'));

  await t.test('each pod of a stateful set has a volume of its own', async () => {
    await apply(shell, 'keeper', keeper);
    await rolledOut();
    await starts('keeper-0', 1);
    await starts('keeper-1', 1);
    const first = await path('pvc data-keeper-0', '{.spec.volumeName}');
    assert.match(
      await shell.run('kubectl get pvc'),
      new RegExp(
        '^NAME +STATUS +VOLUME +CAPACITY +ACCESS MODES +STORAGECLASS( +VOLUMEATTRIBUTESCLASS)? +AGE\\n' +
          `data-keeper-0 +Bound +${first} +1Gi +RWO +local-path( +<unset>)? +\\d+s\\n` +
          'data-keeper-1 +Bound +pvc-\\S+ +1Gi +RWO +local-path( +<unset>)? +\\d+s\\n$',
      ),
    );
    assert.match(
      await shell.run('kubectl get pv --sort-by=.spec.claimRef.name'),
      new RegExp(
        '^NAME +CAPACITY +ACCESS MODES +RECLAIM POLICY +STATUS +CLAIM +STORAGECLASS( +VOLUMEATTRIBUTESCLASS)? +REASON +AGE\\n' +
          `${first} +1Gi +RWO +Delete +Bound +default/data-keeper-0 +local-path( +<unset>)? +\\d+s\\n` +
          'pvc-\\S+ +1Gi +RWO +Delete +Bound +default/data-keeper-1 +local-path( +<unset>)? +\\d+s\\n$',
      ),
    );
    assert.match(
      await shell.run('kubectl get sc'),
      /^NAME +PROVISIONER +RECLAIMPOLICY +VOLUMEBINDINGMODE +ALLOWVOLUMEEXPANSION +AGE\nlocal-path \(default\) +\S+ +Delete +WaitForFirstConsumer +true +\d+s\n$/,
    );
    assert.match(
      await shell.run('kubectl describe pvc data-keeper-0'),
      /Finalizers: +\[kubernetes.io\/pvc-protection\][\s\S]*Used By: +keeper-0[\s\S]*WaitForFirstConsumer[\s\S]*ProvisioningSucceeded/,
    );
    assert.deepEqual(folders().includes(`${first}_default_data-keeper-0`), true);
  });

  await t.test('scaled down and up, a pod finds its file again', async () => {
    await shell.run('kubectl scale statefulset keeper --replicas=0');
    await isGone('pod/keeper-1 pod/keeper-0');
    assert.equal((await shell.run('kubectl get pvc -o name')).trim().split('\n').length, 2);
    await shell.run('kubectl scale statefulset keeper --replicas=2');
    await rolledOut();
    await starts('keeper-0', 2);
    await starts('keeper-1', 2);
  });

  await t.test('deleted and made anew, too', async () => {
    await shell.run('kubectl delete statefulset keeper');
    await isGone('pod/keeper-1 pod/keeper-0');
    await apply(shell, 'keeper', keeper);
    await rolledOut();
    await starts('keeper-0', 3);
  });

  await t.test('and after kill -9 of control plane and agent', async () => {
    shell.up.process.kill('SIGKILL');
    await shell.up.exited;
    await start(shell);
    await shell.run('kubectl delete pod keeper-1');
    await eventually(() => starts('keeper-1', 4));
    await rolledOut();
    await starts('keeper-0', 3);
  });

  await t.test('a claim in use stays until its pod is gone, and its folder goes with it', async () => {
    const volume = await path('pvc data-keeper-1', '{.spec.volumeName}');
    await shell.run('kubectl delete pvc data-keeper-1 --wait=false');
    assert.match(await shell.run('kubectl get pvc data-keeper-1'), / +Terminating +/);
    await starts('keeper-1', 4);
    assert.ok(folders().some((name) => name.startsWith(volume)));
    await shell.run('kubectl scale statefulset keeper --replicas=1');
    await isGone('pvc/data-keeper-1');
    await isGone(`pv/${volume}`);
    assert.ok(!folders().some((name) => name.startsWith(volume)));
    await shell.run('kubectl scale statefulset keeper --replicas=2');
    await rolledOut();
    await starts('keeper-1', 1);
  });

  await t.test('claims go with the set where its policy says so', async () => {
    const policy = { whenDeleted: 'Delete', whenScaled: 'Delete' };
    await shell.run(
      `kubectl patch statefulset keeper -p '${JSON.stringify({ spec: { persistentVolumeClaimRetentionPolicy: policy } })}'`,
    );
    await shell.run('kubectl scale statefulset keeper --replicas=1');
    await isGone('pvc/data-keeper-1');
    await shell.run('kubectl delete statefulset keeper');
    await isGone('pvc/data-keeper-0');
    await eventually(() => assert.deepEqual(folders(), []));
    assert.match(await shell.run('kubectl get pv'), /No resources found/);
  });

  await t.test('an ephemeral volume lives as long as its pod', async () => {
    await apply(
      shell,
      'brief',
      podUsing('brief', { ephemeral: { volumeClaimTemplate: { spec: claimTemplate.spec } } }),
    );
    await shell.run('kubectl wait --for=condition=Ready pod/brief --timeout=60s');
    assert.match(await shell.run('kubectl get pvc brief-data'), / +Bound +/);
    assert.equal(await path('pvc brief-data', '{.metadata.ownerReferences[0].kind}'), 'Pod');
    await shell.run('kubectl delete pod brief');
    await isGone('pvc/brief-data');
    await eventually(() => assert.deepEqual(folders(), []));
  });

  await t.test('a volume that is to be kept is released, and its folder stays', async () => {
    await apply(shell, 'kept', {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'kept' },
      spec: claimTemplate.spec,
    });
    assert.match(await shell.run('kubectl get pvc kept'), /^kept +Pending +local-path /m);
    await apply(shell, 'user', podUsing('user', { persistentVolumeClaim: { claimName: 'kept' } }));
    await shell.run('kubectl wait --for=condition=Ready pod/user --timeout=60s');
    const volume = await path('pvc kept', '{.spec.volumeName}');
    await shell.run(`kubectl patch pv ${volume} -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'`);
    await shell.run('kubectl delete pod/user pvc/kept');
    await eventually(async () =>
      assert.match(await shell.run(`kubectl get pv ${volume}`), / +Retain +Released +default\/kept /),
    );
    assert.deepEqual(folders(), [`${volume}_default_kept`]);
    await shell.run(`kubectl delete pv ${volume}`);
  });

  await t.test('a claim grows where its class allows it, and never shrinks', async () => {
    await apply(shell, 'grows', {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'grows' },
      spec: claimTemplate.spec,
    });
    await apply(shell, 'grower', podUsing('grower', { persistentVolumeClaim: { claimName: 'grows' } }));
    await shell.run('kubectl wait --for=condition=Ready pod/grower --timeout=60s');
    const resize = (storage: string) =>
      `kubectl patch pvc grows -p '{"spec":{"resources":{"requests":{"storage":"${storage}"}}}}'`;
    await shell.run(resize('2Gi'));
    await eventually(async () => assert.match(await shell.run('kubectl get pvc grows'), / 2Gi +RWO /));
    assert.match(
      await shell.run(resize('1Gi'), { code: 1 }),
      /spec.resources.requests.storage: Forbidden: field can not be less than status.capacity/,
    );
    await shell.run('kubectl delete pod/grower pvc/grows');
  });
});
