// An autoscaler by a real kubectl, with isolates that really use the processor, and what `kubectl top` says of them.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, kubectlMinor, missing, openShell } from './shell.ts';

/** Keeps a core busy for 30 ms of every 100: 300m, or a part of them where others keep the machine busy too. */
const program = `
setInterval(() => { const end = performance.now() + 30; while (performance.now() < end); }, 100);
export default { fetch: () => new Response('busy\\n') };
`;

const skipOld = kubectlMinor < 23 && 'kubectl asks for autoscaling/v2beta1';

test('an autoscaler follows what pods really use', {
  skip: missing('kubectl'),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0 --horizontal-pod-autoscaler-sync-period 3');
  await up.until(/API ready/);
  const folder = join(shell.home, 'busy');
  mkdirSync(folder);
  writeFileSync(join(folder, 'main.mjs'), program);
  writeFileSync(join(folder, 'package.json'), '{"name":"busy","main":"main.mjs","type":"module"}');
  await shell.run(`selvage build ${folder} -t busy:1`);
  await shell.run('kubectl create deployment busy --image=busy:1');
  await shell.run('kubectl set resources deployment busy --requests=cpu=50m');
  await shell.run('kubectl rollout status deployment/busy --timeout=60s');

  await t.test('it is made by kubectl autoscale, and says what it does not know yet', async () => {
    assert.match(
      await shell.run('kubectl autoscale deployment busy --cpu-percent=50 --min=1 --max=5'),
      /horizontalpodautoscaler.autoscaling\/busy autoscaled/,
    );
    assert.match(
      await shell.run('kubectl get hpa busy'),
      /^NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE\nbusy +Deployment\/busy +cpu: (<unknown>|\d+%)\/50% +1 +5 +\d+ +\d+s\n$/,
    );
  });

  await t.test('top shows containers and nodes', async () => {
    await eventually(async () =>
      assert.match(
        await shell.run('kubectl top pod --containers'),
        /^POD +NAME +CPU\(cores\) +MEMORY\(bytes\) *\nbusy-\S+ +busy +\d{2,3}m +\d+Mi *\n/,
      ),
    );
    assert.match(
      await shell.run('kubectl top node'),
      /^NAME +CPU\(cores\) +CPU\S+ +MEMORY\(bytes\) +MEMORY\S+ *\nlocal +\d+m +\d+% +\d+Mi +\d+% *\n$/,
    );
    assert.match(await shell.run('kubectl top pod -l app=none'), /No resources found/);
  });

  await t.test('the load makes it grow, with an event', { skip: skipOld }, async () => {
    await eventually(
      async () =>
        assert.match(
          await shell.run('kubectl describe hpa busy'),
          /Normal +SuccessfulRescale .*New size: [2-5]; reason: cpu resource utilization \(percentage of request\) above target/,
        ),
      120_000,
    );
    await eventually(async () => {
      const [, replicas = ''] =
        /(\d+) +\d+\S+\n$/.exec(await shell.run('kubectl get hpa busy --no-headers')) ?? [];
      assert.ok(Number(replicas) > 1, `still ${replicas}`);
    }, 90_000);
    assert.match(await shell.run('kubectl get hpa busy --no-headers'), / cpu: \d+%\/50% /);
    const conditions = '{range .status.conditions[*]}{.type}={.status} {end}';
    const path = `kubectl get hpa busy -o jsonpath='${conditions}'`;
    assert.match(await shell.run(path), /^AbleToScale=True ScalingActive=True ScalingLimited=(True|False) $/);
  });

  await t.test('a smaller maximum holds at once', async () => {
    await shell.run(`kubectl patch hpa busy -p '{"spec":{"maxReplicas":1}}'`);
    await eventually(async () =>
      assert.match(await shell.run('kubectl get deployment busy'), /^busy +1\/1 /m),
    );
    await shell.run('kubectl delete hpa/busy deployment/busy');
  });
});
