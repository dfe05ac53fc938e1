// The article's commands, exactly as printed, by a real kubectl, as root and as an ordinary user.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, missing, openShell, root } from './shell.ts';

const isRoot = process.getuid?.() === 0;
const skip = missing('kubectl', 'curl', 'setpriv');

test("the article's commands work as an ordinary user", { skip, timeout: 600_000 }, (t) =>
  article(t, { ordinaryUser: isRoot }),
);
test(
  "the article's commands work as root",
  { skip: skip || (!isRoot && 'not run as root'), timeout: 600_000 },
  (t) => article(t, {}),
);

async function article(t: TestContext, options: { ordinaryUser?: boolean }): Promise<void> {
  const shell = openShell(t, options);
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);

  await shell.run('selvage build examples/my-app -t my-app:1.0.0');
  await shell.run('kubectl create deployment my-app --image=my-app:1.0.0');
  await shell.run('kubectl expose deployment my-app --type=LoadBalancer --port=80');
  await eventually(async () =>
    assert.match(await shell.run('kubectl get deployments'), /^my-app\s+1\/1\s+1\s+1\s/m),
  );
  const address = await eventually(async () => {
    const services = await shell.run('kubectl get services');
    assert.match(services, /^my-app\s+LoadBalancer\s+10\.43\.\d+\.\d+\s+127\.\d+\.\d+\.\d+\s+80:\d+\/TCP/m);
    return reportedAddress(shell);
  });
  if (options.ordinaryUser)
    assert.match(await shell.run('kubectl describe service my-app'), /PortUnavailable/);
  assert.match(
    await eventually(() => shell.run(`curl -sSf http://${address}`)),
    /^Hello from my-app 1\.0\.0, pod my-app-/,
  );

  await shell.run('kubectl scale deployment my-app --replicas=3');
  assert.match(
    await shell.run('kubectl rollout status deployment/my-app --timeout=60s'),
    /successfully rolled out/,
  );
  assert.match(await shell.run('kubectl get deployments'), /^my-app\s+3\/3\s+3\s+3\s/m);
  const pods = new Set<string>();
  for (let i = 0; i < 12; i++) pods.add(await shell.run(`curl -sSf http://${address}`));
  assert.equal(pods.size, 3, `12 requests met ${pods.size} of 3 pods`);

  await buildNextVersion(shell);
  await shell.run('kubectl set image deployment/my-app my-app=my-app:1.0.1');
  await shell.run('kubectl rollout status deployment/my-app --timeout=60s');
  assert.match(await shell.run(`curl -sSf http://${address}`), /^Hello from my-app 1\.0\.1/);
  assert.match(await shell.run('kubectl rollout undo deployment/my-app'), /rolled back/);
  await shell.run('kubectl rollout status deployment/my-app --timeout=60s');
  assert.match(await shell.run(`curl -sSf http://${address}`), /^Hello from my-app 1\.0\.0/);

  await eventually(async () => {
    // kubectl shows one pod's log of three: each must have had a request.
    for (let i = 0; i < 6; i++) await shell.run(`curl -sSf http://${address}`);
    assert.match(await shell.run('kubectl logs deployment/my-app'), /GET \//);
  });
  const pod = (await shell.run('kubectl get pods -o name')).trim().split('\n')[0];
  assert.match(
    await shell.run(`kubectl describe ${pod}`),
    /Normal\s+Scheduled.*Normal\s+Pulled.*Normal\s+Started/s,
  );
  await shell.run('kubectl delete deployment my-app');
  await eventually(async () => assert.match(await shell.run('kubectl get pods'), /No resources found/));

  up.process.kill('SIGINT');
  assert.equal(await up.exited, 0, up.output());
}

/** `ip:port` as the Service's status says it, since port 80 may not be free or allowed here. */
async function reportedAddress(shell: ReturnType<typeof openShell>): Promise<string> {
  const path = '{.status.loadBalancer.ingress[0].ip}:{.status.loadBalancer.ingress[0].ports[0].port}';
  const address = await shell.run(`kubectl get service my-app -o jsonpath='${path}'`);
  assert.match(address, /^127\.[\d.]+:\d+$/);
  return address;
}

async function buildNextVersion(shell: ReturnType<typeof openShell>): Promise<void> {
  const folder = join(shell.home, 'my-app');
  cpSync(join(root, 'examples/my-app'), folder, { recursive: true });
  const server = join(folder, 'server.ts');
  writeFileSync(server, readFileSync(server, 'utf8').replace("'1.0.0'", "'1.0.1'"));
  await shell.run(`selvage build ${folder} -t my-app:1.0.1`);
}
