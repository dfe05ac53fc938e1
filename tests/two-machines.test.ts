// Two machines: the second is a network namespace of its own, with a cable (veth) to the first.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { eventually, missing, openShell } from './shell.ts';

const isRoot = process.getuid?.() === 0;
const skip = missing('kubectl', 'curl', 'ip') || (!isRoot && 'making a network namespace needs root');
const here = '10.99.0.1';
const there = '10.99.0.2';

test('a node on another machine joins, runs a pod, and is called over mutual TLS', {
  skip,
  timeout: 600_000,
}, async (t) => {
  const namespace = connectMachine(t);
  const shell = openShell(t);
  const up = shell.start(`selvage up --host 0.0.0.0 --address ${here} --port 0`);
  const port = /https:\/\/127\.0\.0\.1:(\d+)/.exec(await up.until(/API ready/))![1];
  const agent = shell.start(
    `ip netns exec ${namespace} selvage agent --server https://${here}:${port} --token-file ${shell.home}/.selvage/server/join-token ` +
      `--name edge-1 --zone site-1 --address ${there} --data-dir ${shell.home}/edge --stop-pods`,
  );
  await agent.until(/node "edge-1" is up/);
  await eventually(async () => assert.match(await shell.run('kubectl get nodes'), /^edge-1\s+Ready/m));

  await shell.run('selvage build examples/my-app -t my-app:1.0.0');
  await shell.run('kubectl create deployment my-app --image=my-app:1.0.0');
  const placed = '{"spec":{"template":{"spec":{"nodeSelector":{"topology.kubernetes.io/zone":"site-1"}}}}}';
  await shell.run(`kubectl patch deployment my-app -p '${placed}'`);
  await shell.run('kubectl rollout status deployment/my-app --timeout=60s');
  assert.match(await shell.run('kubectl get pods -o wide'), /Running.*edge-1/);
  await shell.run('kubectl expose deployment my-app --type=LoadBalancer --port=80');
  const path = '{.status.loadBalancer.ingress[0].ip}:{.status.loadBalancer.ingress[0].ports[0].port}';
  const address = await eventually(async () => {
    const found = await shell.run(`kubectl get service my-app -o jsonpath='${path}'`);
    assert.match(found, /^127\.[\d.]+:\d+$/);
    return found;
  });
  assert.match(await eventually(() => shell.run(`curl -sSf -m 5 http://${address}`)), /^Hello from my-app/);
  await eventually(async () => assert.match(await shell.run('kubectl logs deployment/my-app'), /GET \//));
});

/** A namespace of its own, with `there` in it and `here` on this side; both go with the test. */
function connectMachine(t: TestContext): string {
  const name = `selvage-${process.pid}`;
  const [near, far] = [`sn${process.pid}`.slice(0, 15), `sf${process.pid}`.slice(0, 15)];
  const ip = (line: string) => {
    const { status, stderr } = spawnSync('ip', line.split(' '), { encoding: 'utf8' });
    assert.equal(status, 0, `ip ${line}: ${stderr}`);
  };
  ip(`netns add ${name}`);
  t.after(() => spawnSync('ip', ['netns', 'delete', name]));
  ip(`link add ${near} type veth peer name ${far}`);
  t.after(() => spawnSync('ip', ['link', 'delete', near]));
  ip(`link set ${far} netns ${name}`);
  ip(`address add ${here}/24 dev ${near}`);
  ip(`link set ${near} up`);
  ip(`-n ${name} address add ${there}/24 dev ${far}`);
  ip(`-n ${name} link set ${far} up`);
  ip(`-n ${name} link set lo up`);
  return name;
}
