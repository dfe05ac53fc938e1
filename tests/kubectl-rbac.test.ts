import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { send } from '../src/apiserver/test-request.ts';
import { startTestServer, type TestServer } from '../src/apiserver/test-server.ts';
import { openServiceAccountTokens } from '../src/identity/service-account-token.ts';
import { kubectlMinor } from './shell.ts';

/** Access control as an administrator meets it, with a real kubectl. */

const isMissing = kubectlMinor === 0;
/** `kubectl create token` came with 1.24, `kubectl auth whoami` with 1.28. */
const minor = kubectlMinor;
const isCi = process.env.CI === 'true';
const timeoutMs = 20_000;

let running: TestServer;
let kubeconfig: string;
let keyDir: string;

interface Result {
  code: number;
  out: string;
  err: string;
}

function kubectl(line: string, options: { input?: string; kubeconfig?: string } = {}): Promise<Result> {
  const args = (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: running.dir,
    KUBECONFIG: options.kubeconfig ?? kubeconfig,
  };
  return new Promise((resolve) => {
    const child = execFile(
      'kubectl',
      args,
      { env, encoding: 'utf8', timeout: timeoutMs },
      (error, out, err) => {
        resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err });
      },
    );
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs kubectl, which must succeed, and returns what it printed. */
async function run(line: string, input?: string): Promise<string> {
  const { code, out, err } = await kubectl(line, input === undefined ? {} : { input });
  assert.equal(code, 0, `kubectl ${line}: ${err}${out}`);
  return out.trim();
}

/** Runs kubectl, which must fail, and returns what it complained of. */
async function fail(line: string, as?: string): Promise<string> {
  const { code, out, err } = await kubectl(line, as === undefined ? {} : { kubeconfig: as });
  assert.notEqual(code, 0, `kubectl ${line} did not fail: ${out}`);
  return err.trim();
}

describe('kubectl and roles', { skip: isMissing && !isCi ? 'kubectl is not on the PATH' : false }, () => {
  before(async () => {
    keyDir = mkdtempSync(join(tmpdir(), 'selvage-key-'));
    const tokens = openServiceAccountTokens({ keyPath: join(keyDir, 'sa.key') });
    running = await startTestServer({ serviceAccountTokens: tokens });
    kubeconfig = running.writeKubeconfig('selvage-admin');
    const body = { metadata: { name: 'robot' } };
    await send(running.server.transport(), 'POST /api/v1/namespaces/default/serviceaccounts', { body });
  });
  after(async () => {
    await running?.close();
    rmSync(keyDir, { recursive: true, force: true });
  });

  test('makes roles and bindings, and shows them', async () => {
    assert.equal(
      await run('create role pod-reader --verb=get,list,watch --resource=pods,pods/log,deployments.apps'),
      'role.rbac.authorization.k8s.io/pod-reader created',
    );
    assert.equal(
      await run('create clusterrole node-reader --verb=get,list --resource=nodes --resource-name=n1'),
      'clusterrole.rbac.authorization.k8s.io/node-reader created',
    );
    assert.equal(
      await run('create clusterrole metrics --verb=get --non-resource-url=/metrics'),
      'clusterrole.rbac.authorization.k8s.io/metrics created',
    );
    assert.equal(
      await run(
        'create rolebinding readers --role=pod-reader --user=ann --group=team --serviceaccount=default:robot',
      ),
      'rolebinding.rbac.authorization.k8s.io/readers created',
    );
    assert.equal(
      await run('create clusterrolebinding metrics --clusterrole=metrics --user=ann'),
      'clusterrolebinding.rbac.authorization.k8s.io/metrics created',
    );
    assert.match(await run('get roles'), /^NAME +CREATED AT\npod-reader +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(
      await run('get rolebindings -o wide'),
      /^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\nreaders +Role\/pod-reader +\d+s +ann +team +default\/robot$/,
    );
    const described = await run('describe clusterrole view');
    assert.match(described, /configmaps +\[\] +\[\] +\[get list watch\]/);
    assert.doesNotMatch(described, /secrets/);
    const { rules } = JSON.parse(await run('get role pod-reader -o json'));
    assert.deepEqual(rules, [
      { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'watch'] },
    ]);
  });

  test('asks what may be done, for oneself and for others', async () => {
    const canI = async (line: string) => (await kubectl(`auth can-i ${line}`)).out.trim();
    assert.equal(await canI("'*' '*'"), 'yes');
    assert.equal(await canI('list pods --as ann'), 'yes');
    assert.equal(await canI('get pods --subresource=log --as ann'), 'yes');
    assert.equal(await canI('list deployments.apps --as x --as-group team'), 'yes');
    assert.equal(await canI('delete pods --as ann'), 'no');
    assert.equal(await canI('list pods --as ann -n kube-system'), 'no');
    assert.equal(await canI('list pods --as system:serviceaccount:default:robot'), 'yes');
    assert.equal(await canI('list pods --as system:serviceaccount:kube-system:robot'), 'no');
    assert.equal(await canI('get /metrics --as ann'), 'yes');
    assert.equal(await canI('get /metrics --as bob'), 'no');
    const list = await run('auth can-i --list --as ann');
    assert.match(list, /^deployments\.apps +\[\] +\[\] +\[get list watch\]$/m);
    assert.match(list, /^ +\[\/metrics\] +\[\] +\[get\]$/m);
    assert.doesNotMatch(list, /\*\.\*/);
    if (minor >= 28) {
      assert.match(
        await run('auth whoami --as bob --as-group dev'),
        /Username +bob\nGroups +\[dev system:authenticated\]/,
      );
    }
  });

  test('refuses in the words that administrators know', async () => {
    assert.equal(
      await fail('get secrets --as ann'),
      'Error from server (Forbidden): secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "default"',
    );
    assert.equal(
      await fail('get nodes --as ann'),
      'Error from server (Forbidden): nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope',
    );
    const bob = running.writeKubeconfig('bob', ['dev']);
    assert.match(
      await fail('get pods --as root', bob),
      /users "root" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope/,
    );
  });

  test('lets nobody give away more than they hold', async () => {
    await run('create rolebinding lou --clusterrole=admin --user=lou');
    assert.equal(
      await run('create role ok --verb=get --resource=pods --as lou'),
      'role.rbac.authorization.k8s.io/ok created',
    );
    assert.equal(
      await fail('create role nodes --verb=get,list --resource=nodes --as lou'),
      'Error from server (Forbidden): roles.rbac.authorization.k8s.io "nodes" is forbidden: user "lou" ' +
        '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}',
    );
    assert.match(
      await fail('create rolebinding root --clusterrole=cluster-admin --user=lou --as lou'),
      /rolebindings\.rbac\.authorization\.k8s\.io "root" is forbidden: user "lou" .* not currently held:\n\{APIGroups:\["\*"\]/,
    );
  });

  test('reconciles roles: what is missing is added, what is more stays', async () => {
    const role = (...verbs: string[]) => `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pod-reader, namespace: default}
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [${verbs.join(', ')}]
`;
    await run('auth reconcile -f -', role('get', 'delete'));
    const { rules } = JSON.parse(await run('get role pod-reader -o json'));
    assert.equal(rules.length, 3);
    assert.deepEqual(rules[2], { apiGroups: [''], resources: ['pods'], verbs: ['delete'] });
    await run('auth reconcile --remove-extra-permissions -f -', role('get', 'list'));
    const left = JSON.parse(await run('get role pod-reader -o json')).rules;
    assert.ok(
      left.every(({ resources }: { resources: string[] }) => resources.join() === 'pods'),
      JSON.stringify(left),
    );
  });

  test("a service account's token speaks for it, until the account is gone", {
    skip: minor < 24 ? 'kubectl before 1.24 makes no tokens' : false,
  }, async () => {
    const token = await run(
      'create token robot --duration 20m --audience https://kubernetes.default.svc.cluster.local',
    );
    const { cluster } = JSON.parse(await run('config view --raw -o json')).clusters[0];
    const empty = join(running.dir, 'none');
    const server = `--server ${cluster.server} --certificate-authority ${join(running.dir, 'ca', 'ca.crt')}`;
    const asRobot = (line: string) => kubectl(`${line} --token ${token} ${server}`, { kubeconfig: empty });
    assert.match((await asRobot('get pods')).err, /No resources found in default namespace/);
    assert.match(
      (await asRobot('get secrets')).err,
      /User "system:serviceaccount:default:robot" cannot list/,
    );
    assert.match(
      await fail('create token robot --duration 1m'),
      /spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes/,
    );
    assert.match(await fail('create token ghost'), /serviceaccounts "ghost" not found/);
    await run('delete serviceaccount robot');
    assert.notEqual((await asRobot('get pods')).code, 0);
  });
});
