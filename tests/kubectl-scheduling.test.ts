// What people see of scheduling and eviction, by a real kubectl, with pods that really run.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, missing, openShell, type Shell } from './shell.ts';

const skip = missing('kubectl');
const server = `export default { fetch: () => new Response('here\\n') };`;

async function cluster(t: TestContext): Promise<Shell> {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  const folder = join(shell.home, 'server');
  mkdirSync(folder);
  writeFileSync(join(folder, 'main.mjs'), server);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'server', main: 'main.mjs', type: 'module' }),
  );
  await shell.run(`selvage build ${folder} -t server:1`);
  await shell.run('kubectl wait --for=condition=Ready node/local --timeout=60s');
  return shell;
}

async function apply(shell: Shell, name: string, manifest: object): Promise<string> {
  const file = join(shell.home, `${name}.json`);
  writeFileSync(file, JSON.stringify(manifest));
  return shell.run(`kubectl apply -f ${file}`);
}

const podOf = (name: string, cpu: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'server:1', resources: { requests: { cpu } } }],
    ...spec,
  },
});

test('scheduling as kubectl shows it', { skip, timeout: 600_000 }, async (t) => {
  const shell = await cluster(t);
  const cpus = Number(await shell.run("kubectl get node local -o jsonpath='{.status.allocatable.cpu}'"));
  /** Two pods of this size do not fit beside each other. */
  const most = `${Math.round(cpus * 600)}m`;
  const describe = (pod: string) => shell.run(`kubectl describe pod ${pod}`);

  await t.test('a pod that fits nowhere says why', async () => {
    await apply(shell, 'huge', podOf('huge', '9000'));
    const described = await eventually(async () => {
      const text = await describe('huge');
      assert.match(text, /FailedScheduling/);
      return text;
    }, 60_000);
    assert.match(
      described,
      /Warning +FailedScheduling +\S+.* default-scheduler +0\/1 nodes are available: 1 Insufficient cpu\. preemption: 0\/1 nodes are available: 1 No preemption victims found for incoming pod\.$/m,
    );
    assert.match(await shell.run('kubectl get pod huge'), / 0\/1 +Pending +0 /);
    assert.match(described, /PodScheduled +False/);
    await shell.run('kubectl delete pod huge');
  });

  await t.test('a selector that no node has, and a gate', async () => {
    await apply(shell, 'picky', podOf('picky', '1m', { nodeSelector: { disk: 'ssd' } }));
    await eventually(async () => {
      assert.match(
        await describe('picky'),
        /0\/1 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector\. preemption: 0\/1 nodes are available: 1 Preemption is not helpful for scheduling\.$/m,
      );
    }, 60_000);
    await shell.run('kubectl label node local disk=ssd');
    await shell.run('kubectl wait --for=condition=Ready pod/picky --timeout=60s');
    await apply(shell, 'gated', podOf('gated', '1m', { schedulingGates: [{ name: 'example.com/wait' }] }));
    assert.match(await shell.run('kubectl get pod gated'), / 0\/1 +SchedulingGated +0 /);
    await shell.run('kubectl delete pod picky gated');
  });

  await t.test('a more important pod takes the place of another', async () => {
    await apply(shell, 'important', {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'important' },
      value: 1000,
    });
    await apply(shell, 'low', podOf('low', most));
    await shell.run('kubectl wait --for=condition=Ready pod/low --timeout=60s');
    await apply(shell, 'high', podOf('high', most, { priorityClassName: 'important' }));
    await shell.run('kubectl wait --for=condition=Ready pod/high --timeout=60s');
    await eventually(async () => {
      assert.doesNotMatch(await shell.run('kubectl get pods'), /^low /m);
    }, 60_000);
    await eventually(async () => {
      assert.match(
        await shell.run('kubectl get events'),
        /Normal +Preempted +pod\/low +Preempted by pod [0-9a-f-]{36} on node local$/m,
      );
    }, 60_000);
    assert.match(await describe('high'), /^Priority: +1000\nPriority Class Name: +important$/m);
    await shell.run('kubectl delete pod high');
  });

  await t.test('a NoExecute taint makes pods leave that do not tolerate it', async () => {
    await apply(shell, 'plain', podOf('plain', '1m'));
    const tolerations = [{ key: 'maintenance', operator: 'Exists' }];
    await apply(shell, 'tough', podOf('tough', '1m', { tolerations }));
    await shell.run('kubectl wait --for=condition=Ready pod/plain pod/tough --timeout=60s');
    assert.match(
      await shell.run('kubectl taint nodes local maintenance=now:NoExecute'),
      /node\/local tainted/,
    );
    await eventually(async () => {
      assert.doesNotMatch(await shell.run('kubectl get pods'), /^plain /m);
    }, 60_000);
    await eventually(async () => {
      assert.match(
        await shell.run('kubectl get events'),
        /Normal +TaintManagerEviction +pod\/plain +Marking for deletion Pod default\/plain$/m,
      );
    }, 60_000);
    assert.match(await shell.run('kubectl get pod tough'), / 1\/1 +Running +0 /);
    await apply(shell, 'late', podOf('late', '1m'));
    await eventually(async () => {
      assert.match(await describe('late'), /1 node\(s\) had untolerated taint \{maintenance: now\}/);
    }, 60_000);
    await shell.run('kubectl taint nodes local maintenance-');
    await shell.run('kubectl wait --for=condition=Ready pod/late --timeout=60s');
    await shell.run('kubectl delete pod tough late');
  });
});
