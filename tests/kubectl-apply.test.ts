import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../src/apiserver/test-server.ts';
import { kubectlMinor } from './shell.ts';

/** Server-side apply as a real kubectl uses it. */

const minor = kubectlMinor;
const isCi = process.env.CI === 'true';
const isMissing = kubectlMinor === 0;
/** kubectl migrates from client-side apply by itself since 1.26. */
const migrates = minor >= 26;
/** Before 1.21 kubectl showed managedFields always. */
const showAll = minor >= 21 ? ' --show-managed-fields' : '';

let running: TestServer;
let kubeconfig: string;

interface Result {
  code: number;
  out: string;
  err: string;
}

function kubectl(line: string, input = ''): Promise<Result> {
  const env = { PATH: process.env.PATH ?? '', HOME: running.dir, KUBECONFIG: kubeconfig };
  return new Promise((resolve) => {
    const child = execFile('kubectl', line.split(' '), { env, timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err });
    });
    child.stdin?.end(input);
  });
}

async function run(line: string, input?: string): Promise<string> {
  const { code, out, err } = await kubectl(line, input);
  assert.equal(code, 0, `kubectl ${line}: ${err}${out}`);
  return out;
}

interface Entry {
  manager: string;
  operation: string;
  subresource?: string;
  fieldsV1: object;
}

async function managersOf(name: string): Promise<string[]> {
  const { metadata } = JSON.parse(await run(`get ${name} -o json${showAll}`));
  return ((metadata.managedFields ?? []) as Entry[])
    .map(({ manager, operation, subresource = '' }) => `${manager} ${operation} ${subresource}`.trim())
    .sort();
}

const deployment = (name: string, replicas: number | undefined, container: string) => `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels: {app: ${name}}
spec:
  ${replicas === undefined ? '' : `replicas: ${replicas}`}
  selector:
    matchLabels: {app: ${name}}
  template:
    metadata:
      labels: {app: ${name}}
    spec:
      containers:
      - ${container}
`;
const main = '{name: main, image: "app:1", ports: [{containerPort: 80}]}';
const configMap = (name: string, data: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: ${data}
`;
const apply = 'apply --server-side -f -';

describe('kubectl apply --server-side', {
  skip: isMissing && !isCi ? 'kubectl is not on the PATH' : false,
}, () => {
  before(async () => {
    running = await startTestServer();
    kubeconfig = running.writeKubeconfig('selvage-admin');
  });
  after(() => running?.close());

  test('makes, changes and leaves alone', async () => {
    assert.equal(await run(apply, deployment('made', 2, main)), 'deployment.apps/made serverside-applied\n');
    await run(apply, deployment('made', 3, main));
    const before = await run('get deployment made -o jsonpath={.metadata.resourceVersion}');
    await run(apply, deployment('made', 3, main));
    assert.equal(await run('get deployment made -o jsonpath={.metadata.resourceVersion}'), before);
    assert.equal(await run('get deployment made -o jsonpath={.spec.replicas}'), '3');
    const yaml = await run(`get deployment made -o yaml${showAll}`);
    assert.match(yaml, /f:containers:\n +k:\{"name":"main"\}:\n +\.: \{\}\n +f:image: \{\}/);
    assert.match(yaml, /manager: kubectl\n +operation: Apply/);
    if (showAll) assert.doesNotMatch(await run('get deployment made -o yaml'), /managedFields/);
  });

  test('meets a conflict after kubectl scale, and takes the field back by force', async () => {
    await run(apply, deployment('scaled', 1, main));
    await run('scale deployment scaled --replicas=4');
    const refused = await kubectl(apply, deployment('scaled', 2, main));
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /^(error|Error from server \(Conflict\)): Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas\n/,
    );
    assert.match(refused.err, /Please review the fields above--they currently have other managers\./);
    await run(`${apply} --force-conflicts`, deployment('scaled', 2, main));
    assert.equal(await run('get deployment scaled -o jsonpath={.spec.replicas}'), '2');
    assert.deepEqual(await managersOf('deployment/scaled'), ['kubectl Apply']);
  });

  test('leaves to others what it does not name, and removes what it no longer names', async () => {
    await run(apply, configMap('shared', '{mine: "1", left: "1"}'));
    await run(`${apply} --field-manager=other`, configMap('shared', '{theirs: "1"}'));
    await run('label configmap shared by=hand');
    await run(apply, configMap('shared', '{left: "1"}'));
    const { data, metadata } = JSON.parse(await run('get configmap shared -o json'));
    assert.deepEqual(data, { left: '1', theirs: '1' });
    assert.deepEqual(metadata.labels, { by: 'hand' });
    assert.deepEqual(await managersOf('configmap/shared'), [
      'kubectl Apply',
      'kubectl-label Update',
      'other Apply',
    ]);
  });

  test('merges containers by name and keeps the order of the configuration', async () => {
    await run(apply, deployment('merged', undefined, main));
    const side = '{name: side, image: "side:1"}';
    await run(`${apply} --field-manager=sidecar --force-conflicts`, deployment('merged', undefined, side));
    const images = 'get deployment merged -o jsonpath={.spec.template.spec.containers[*].image}';
    assert.equal(await run(images), 'app:1 side:1');
    await run('set image deployment/merged side=side:2');
    const refused = await kubectl(`${apply} --field-manager=sidecar`, deployment('merged', undefined, side));
    assert.match(refused.err, /using apps\/v1: \.spec\.template\.spec\.containers\[name="side"\]\.image/);
    await run(apply, deployment('merged', undefined, '{name: main, image: "app:2"}'));
    assert.equal(await run(images), 'app:2 side:2');
  });

  test('tries without doing, and shows what would differ', async () => {
    await run(apply, configMap('tried', '{a: "1"}'));
    assert.equal(
      await run(`${apply} --dry-run=server`, configMap('tried', '{a: "2"}')),
      'configmap/tried serverside-applied (server dry run)\n',
    );
    assert.equal(await run('get configmap tried -o jsonpath={.data.a}'), '1');
    assert.equal((await kubectl('diff --server-side -f -', configMap('tried', '{a: "1"}'))).code, 0);
    const diff = await kubectl('diff --server-side -f -', configMap('tried', '{a: "2"}'));
    assert.equal(diff.code, 1, diff.err);
    assert.match(diff.out, /^- {2}a: "1"$/m);
    assert.match(diff.out, /^\+ {2}a: "2"$/m);
  });

  test('takes over from client-side apply without a conflict', async () => {
    await run('apply -f -', configMap('upgraded', '{a: "1", b: "1"}'));
    assert.deepEqual(await managersOf('configmap/upgraded'), ['kubectl-client-side-apply Update']);
    await run(apply, configMap('upgraded', '{a: "2"}'));
    const { data } = JSON.parse(await run('get configmap upgraded -o json'));
    // An older kubectl changes what it names, and leaves the rest with its former self.
    assert.deepEqual(data, migrates ? { a: '2' } : { a: '2', b: '1' });
    if (migrates) {
      assert.deepEqual(await managersOf('configmap/upgraded'), [
        'kubectl Apply',
        'kubectl-last-applied Apply',
      ]);
    }
    // And back: the client-side configuration has been kept up to date.
    await run('apply -f -', configMap('upgraded', '{c: "1"}'));
    assert.deepEqual(
      JSON.parse(await run('get configmap upgraded -o json')).data,
      migrates ? { c: '1' } : { b: '1', c: '1' },
    );
  });

  test('applies a status through its subresource', {
    skip: minor < 32 && 'kubectl has no apply --subresource',
  }, async () => {
    await run(apply, deployment('status', undefined, main));
    const status = `${deployment('status', undefined, main)}\nstatus: {replicas: 1, readyReplicas: 1}\n`;
    await run(`${apply} --subresource=status --field-manager=kubelet`, status);
    assert.equal(await run('get deployment status -o jsonpath={.status.readyReplicas}'), '1');
    assert.deepEqual(await managersOf('deployment/status'), ['kubectl Apply', 'kubelet Apply status']);
  });

  test('says what is wrong with a configuration', async () => {
    const wrong = await kubectl(
      `${apply} --validate=${minor >= 25 ? 'ignore' : 'false'}`,
      configMap('wrong', '{a: "1"}\nfoo: 1'),
    );
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /\.foo: field not declared in schema/);
  });
});
