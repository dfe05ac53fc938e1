// A pod finds its service account's token and uses the API with it, as far as roles allow.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, missing, openShell } from './shell.ts';

const program = `
import { readFileSync } from 'node:fs';
const account = JSON.parse(process.env.SELVAGE_MOUNTS)['/var/run/secrets/kubernetes.io/serviceaccount'];
const read = (name) => readFileSync(account + '/' + name, 'utf8');
export default {
  async fetch(request) {
    const path = new URL(request.url).pathname;
    const headers = { authorization: 'Bearer ' + read('token') };
    const answer = await fetch('https://kubernetes.default.svc' + path, { headers });
    return new Response(read('namespace') + ' ' + answer.status + ' ' + (await answer.text()));
  },
};
`;

test('a pod uses the API by its service account, as far as a role allows', {
  skip: missing('kubectl', 'curl'),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t, {});
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  const folder = join(shell.home, 'reader');
  mkdirSync(folder);
  writeFileSync(join(folder, 'server.ts'), program);
  await shell.run(`selvage build ${folder} -t reader:1`);
  await shell.run('kubectl create serviceaccount reader');
  const override = `{"spec":{"serviceAccountName":"reader"}}`;
  await shell.run(`kubectl run reader --image=reader:1 --port=8080 --overrides='${override}'`);
  await shell.run('kubectl expose pod reader --type=LoadBalancer --port=80 --target-port=8080');
  await shell.run('kubectl wait --for=condition=Ready pod/reader --timeout=60s');
  const ingress = '{.status.loadBalancer.ingress[0].ip}:{.status.loadBalancer.ingress[0].ports[0].port}';
  const address = await eventually(async () => {
    const found = await shell.run(`kubectl get service reader -o jsonpath='${ingress}'`);
    assert.match(found, /^127\.[\d.]+:\d+$/);
    return found;
  });
  const ask = (path: string) => shell.run(`curl -sSf http://${address}${path}`);

  const pods = '/api/v1/namespaces/default/pods';
  const refused = await eventually(() => ask(pods));
  assert.match(refused, /^default 403 .*User \\"system:serviceaccount:default:reader\\" cannot list/);
  await shell.run('kubectl create role reader --verb=list --resource=pods');
  await shell.run('kubectl create rolebinding reader --role=reader --serviceaccount=default:reader');
  await eventually(async () =>
    assert.match(await ask(pods), /^default 200 \{"apiVersion":"v1","kind":"PodList"/),
  );
  assert.match(await ask('/api/v1/namespaces/default/secrets'), /^default 403 /);

  up.process.kill('SIGINT');
  assert.equal(await up.exited, 0, up.output());
});
