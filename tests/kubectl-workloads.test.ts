// Jobs and the other workloads, by a real kubectl, with pods that really run and end.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, kubectlMinor, missing, openShell, type Shell } from './shell.ts';

const skip = missing('kubectl');
/** Debian's kubectl 1.20 still asks for the beta versions of these kinds, which Kubernetes 1.32 does not serve either. */
const isOld = kubectlMinor < 24;
const skipOld = isOld && 'kubectl asks for batch/v1beta1 and policy/v1beta1';

/** Prints where it stands and ends: well unless the environment says with which code. */
const worker = `
const index = process.env.JOB_COMPLETION_INDEX ?? 'none';
console.log('index ' + index);
process.exit(Number(process.env.EXIT_CODE ?? 0));
`;

const server = `export default { fetch: () => new Response(process.env.HOSTNAME + '\\n') };`;

const client = `
for (const url of process.env.URLS.split(' ')) console.log((await (await fetch(url)).text()).trim());
process.exit(0);
`;

async function cluster(t: TestContext): Promise<Shell> {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  const folder = join(shell.home, 'worker');
  mkdirSync(folder);
  writeFileSync(join(folder, 'main.mjs'), worker);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'worker', main: 'main.mjs', type: 'module' }),
  );
  await shell.run(`selvage build ${folder} -t worker:1`);
  writeFileSync(join(folder, 'main.mjs'), server);
  await shell.run(`selvage build ${folder} -t server:1`);
  writeFileSync(join(folder, 'main.mjs'), client);
  await shell.run(`selvage build ${folder} -t client:1`);
  return shell;
}

/** Writes a manifest and applies it. */
async function apply(shell: Shell, name: string, manifest: object): Promise<string> {
  const file = join(shell.home, `${name}.json`);
  writeFileSync(file, JSON.stringify(manifest));
  return shell.run(`kubectl apply -f ${file}`);
}

const jobOf = (name: string, spec: object, container: object = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: {
    template: {
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'worker:1', ...container }] },
    },
    ...spec,
  },
});

test('workloads run to their end under a real kubectl', { skip, timeout: 600_000 }, async (t) => {
  const shell = await cluster(t);

  await t.test('a job prints, ends and is complete', async () => {
    assert.match(await shell.run('kubectl create job once --image=worker:1'), /job.batch\/once created/);
    assert.match(
      await shell.run('kubectl wait --for=condition=complete job/once --timeout=20s'),
      /condition met/,
    );
    assert.match(
      await shell.run('kubectl get job once'),
      /^NAME +STATUS +COMPLETIONS +DURATION +AGE\nonce +Complete +1\/1 +\d+s +\d+s$/m,
    );
    assert.match(await shell.run('kubectl logs job/once'), /^index none$/m);
    assert.match(await shell.run('kubectl get pods -l job-name=once'), / 0\/1 +Completed +0 /);
    const described = await shell.run('kubectl describe job once');
    assert.match(described, /Pods Statuses: +0 (Active \(0 Ready\)|Running) \/ 1 Succeeded \/ 0 Failed/);
    assert.match(
      described,
      /Normal +SuccessfulCreate .*Created pod: once-\w{5}\n.*Normal +Completed .*Job completed/,
    );
  });

  await t.test('an indexed job gives every pod its number', async () => {
    await apply(
      shell,
      'shards',
      jobOf('shards', { completionMode: 'Indexed', completions: 3, parallelism: 3 }),
    );
    await shell.run('kubectl wait --for=condition=complete job/shards --timeout=20s');
    assert.equal(await shell.run("kubectl get job shards -o jsonpath='{.status.completedIndexes}'"), '0-2');
    const logs = await shell.run('kubectl logs -l job-name=shards');
    assert.deepEqual(logs.trim().split('\n').sort(), ['index 0', 'index 1', 'index 2']);
  });

  await t.test('a job that fails says why', async () => {
    const env = [{ name: 'EXIT_CODE', value: '3' }];
    await apply(shell, 'bad', jobOf('bad', { backoffLimit: 0 }, { env }));
    await shell.run('kubectl wait --for=condition=failed job/bad --timeout=20s');
    assert.match(
      await shell.run('kubectl describe job bad'),
      /Warning +BackoffLimitExceeded .*Job has reached the specified backoff limit/,
    );
    assert.match(await shell.run('kubectl get pods -l job-name=bad'), / 0\/1 +Error +0 /);
  });

  await t.test('a running job ends by its deadline, by suspension and by deletion', async () => {
    const pods = (name: string) => shell.run(`kubectl get pods -l job-name=${name}`);
    const isRunning = (name: string) =>
      eventually(async () => assert.match(await pods(name), / 1\/1 +Running /));
    const isGone = (name: string) =>
      eventually(async () => assert.match(await pods(name), /No resources found/));
    const brief = { terminationGracePeriodSeconds: 1, restartPolicy: 'Never' };
    const template = { spec: { ...brief, containers: [{ name: 'main', image: 'server:1' }] } };
    await apply(shell, 'late', jobOf('late', { template, activeDeadlineSeconds: 1 }));
    await shell.run('kubectl wait --for=condition=failed job/late --timeout=20s');
    const why = `{.status.conditions[?(@.type=="Failed")].reason} {.status.failed}`;
    assert.match(await shell.run(`kubectl get job late -o jsonpath='${why}'`), /^DeadlineExceeded [01]?$/);
    await apply(shell, 'pause', jobOf('pause', { template }));
    await isRunning('pause');
    await shell.run(`kubectl patch job pause -p '{"spec":{"suspend":true}}'`);
    await isGone('pause');
    assert.equal(await shell.run("kubectl get job pause -o jsonpath='{.status.active}{.status.failed}'"), '');
    await shell.run(`kubectl patch job pause -p '{"spec":{"suspend":false}}'`);
    await isRunning('pause');
    await shell.run('kubectl delete job pause');
    await isGone('pause');
  });

  await t.test('a cron job fires, and a job can be made from it', { skip: skipOld }, async () => {
    await shell.run("kubectl create cronjob tick --image=worker:1 --schedule='@every 2s'");
    assert.match(await shell.run('kubectl create job now --from=cronjob/tick'), /job.batch\/now created/);
    await shell.run('kubectl wait --for=condition=complete job/now --timeout=20s');
    await eventually(async () => {
      const path = '{.status.lastSuccessfulTime} {.status.lastScheduleTime}';
      assert.match(await shell.run(`kubectl get cronjob tick -o jsonpath='${path}'`), /^2\S+ 2/);
    });
    await shell.run(`kubectl patch cronjob tick -p '{"spec":{"suspend":true}}'`);
    assert.match(
      await shell.run('kubectl get cronjob tick'),
      /^NAME +SCHEDULE +TIMEZONE +SUSPEND +ACTIVE +LAST SCHEDULE +AGE\ntick +@every 2s +<none> +True +\d+ +\d+s +\d+s$/m,
    );
    assert.match(await shell.run('kubectl describe cronjob tick'), /SuccessfulCreate .*Created job tick-\d+/);
  });

  await t.test('a daemon set rolls out and back', async () => {
    const labels = { app: 'agent' };
    const containers = [{ name: 'main', image: 'server:1', env: [{ name: 'VERSION', value: '1' }] }];
    const template = { metadata: { labels }, spec: { containers, terminationGracePeriodSeconds: 1 } };
    const spec = { selector: { matchLabels: labels }, template };
    await apply(shell, 'agent', {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'agent' },
      spec,
    });
    const rolledOut = async () =>
      assert.match(
        await shell.run('kubectl rollout status daemonset/agent --timeout=20s'),
        /successfully rolled out/,
      );
    await rolledOut();
    assert.match(await shell.run('kubectl get daemonset agent'), /^agent +1 +1 +1 +1 +1 +<none> +\d+s$/m);
    await shell.run('kubectl set env daemonset/agent VERSION=2');
    await rolledOut();
    const history = 'kubectl rollout history daemonset/agent';
    assert.match(await shell.run(history), /REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>/);
    assert.match(await shell.run(`${history} --revision=1`), /VERSION:\s+1/);
    assert.match(await shell.run('kubectl rollout undo daemonset/agent'), /rolled back/);
    await rolledOut();
    const path = '{.items[0].spec.containers[0].env[0].value}';
    assert.equal(await shell.run(`kubectl get pods -l app=agent -o jsonpath='${path}'`), '1');
    await shell.run('kubectl delete daemonset agent');
  });

  await t.test(
    'a stateful set has pods with names of their own, in order, and rolls out and back',
    async () => {
      const labels = { app: 'db' };
      const containers = [{ name: 'main', image: 'server:1', env: [{ name: 'VERSION', value: '1' }] }];
      const template = { metadata: { labels }, spec: { containers, terminationGracePeriodSeconds: 1 } };
      const ports = [{ port: 80, targetPort: 8080 }];
      await apply(shell, 'db-service', {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'db' },
        spec: { clusterIP: 'None', selector: labels, ports },
      });
      const spec = { serviceName: 'db', replicas: 2, selector: { matchLabels: labels }, template };
      await apply(shell, 'db', {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'db' },
        spec,
      });
      const rolledOut = () => shell.run('kubectl rollout status statefulset/db --timeout=20s');
      await rolledOut();
      assert.match(await shell.run('kubectl get statefulset db'), /^NAME +READY +AGE\ndb +2\/2 +\d+s$/m);
      const env = [{ name: 'URLS', value: 'http://db-1.db http://db-0.db.default.svc.cluster.local:8080' }];
      await apply(shell, 'ask', jobOf('ask', {}, { image: 'client:1', env }));
      await shell.run('kubectl wait --for=condition=complete job/ask --timeout=20s');
      assert.equal(await shell.run('kubectl logs job/ask'), 'db-1\ndb-0\n');
      await shell.run('kubectl set env statefulset/db VERSION=2');
      await rolledOut();
      assert.match(await shell.run('kubectl rollout history statefulset/db'), /\n1 +<none>\n2 +<none>/);
      assert.match(await shell.run('kubectl rollout undo statefulset/db'), /rolled back/);
      await rolledOut();
      const path = '{.items[*].metadata.name}{.items[*].spec.containers[0].env[0].value}';
      assert.equal(await shell.run(`kubectl get pods -l app=db -o jsonpath='${path}'`), 'db-0 db-11 1');
      await shell.run('kubectl scale statefulset db --replicas=1');
      await eventually(async () =>
        assert.match(await shell.run('kubectl get statefulset db'), /^db +1\/1 /m),
      );
      await shell.run('kubectl delete statefulset/db service/db job/ask');
    },
  );

  await t.test('a node is cordoned, and drained as far as the budget allows', { skip: skipOld }, async () => {
    await shell.run('kubectl create deployment web --image=server:1 --replicas=2');
    await shell.run('kubectl rollout status deployment/web --timeout=20s');
    await shell.run('kubectl create poddisruptionbudget web --selector=app=web --min-available=2');
    assert.match(await shell.run('kubectl get pdb web'), /ALLOWED DISRUPTIONS +AGE\nweb +2 +N\/A +0 +\d+s$/m);
    assert.match(await shell.run('kubectl cordon local'), /node\/local cordoned/);
    assert.match(await shell.run('kubectl get node local'), / Ready,SchedulingDisabled /);
    const drain = 'kubectl drain local --ignore-daemonsets --force --grace-period=1';
    assert.match(
      await shell.run(`${drain} --timeout=2s`, { code: 1 }),
      /violate the pod's disruption budget/,
    );
    await shell.run('kubectl delete pdb web');
    assert.match(await shell.run(`${drain} --timeout=20s`), /node\/local (drained|evicted)/);
    await shell.run('kubectl uncordon local');
    await shell.run('kubectl rollout status deployment/web --timeout=20s');
    await shell.run('kubectl delete deployment web');
  });

  await t.test('a deleted job leaves nothing behind', async () => {
    await shell.run('kubectl delete job --all');
    await shell.run('kubectl delete cronjob --all');
    await eventually(async () => assert.match(await shell.run('kubectl get pods'), /No resources found/));
  });
});
