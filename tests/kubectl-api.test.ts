import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { send } from '../src/apiserver/test-request.ts';
import { startTestServer, type TestServer } from '../src/apiserver/test-server.ts';
import { kubectlMinor } from './shell.ts';

/** A real kubectl against a real API server: no controllers, no nodes. */

const isMissing = kubectlMinor === 0;
const minor = kubectlMinor;
const isCi = process.env.CI === 'true';

let running: TestServer;
let kubeconfig: string;
let kubelet: Server;

interface Result {
  code: number;
  out: string;
  err: string;
}

/** Runs kubectl; `input` goes to its standard input. */
function kubectl(line: string, input?: string): Promise<Result> {
  const args = (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
  return new Promise((resolve) => {
    const options = { env: environment(), encoding: 'utf8' as const, timeout: 60_000 };
    const child = execFile('kubectl', args, options, (error, out, err) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
      resolve({ code, out, err });
    });
    child.stdin?.end(input ?? '');
  });
}

/** Runs kubectl, which must succeed, and returns what it printed. */
async function run(line: string, input?: string): Promise<string> {
  const { code, out, err } = await kubectl(line, input);
  assert.equal(code, 0, `kubectl ${line}: ${err}${out}`);
  return out;
}

const environment = () => ({
  PATH: process.env.PATH ?? '',
  HOME: running.dir,
  KUBECONFIG: kubeconfig,
  KUBE_EDITOR: join(running.dir, 'editor.sh'),
});

const deployment = (image: string, extra = '') => `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: applied
spec:
  replicas: 2
  selector:
    matchLabels: {app: applied}
  template:
    metadata:
      labels: {app: applied}
    spec:
      containers:
      - name: main
        image: ${image}
        ${extra}
`;

describe('kubectl', { skip: isMissing && !isCi ? 'kubectl is not on the PATH' : false }, () => {
  before(async () => {
    running = await startTestServer({
      kubelet: () => ({ host: '127.0.0.1', port: (kubelet.address() as AddressInfo).port, ...kubeletTls() }),
    });
    kubeconfig = running.writeKubeconfig('selvage-admin');
    kubelet = await startKubelet();
  });
  after(async () => {
    kubelet?.close();
    await running?.close();
  });

  test('lists what the server offers', async () => {
    const out = await run('api-resources --no-headers -o name');
    for (const name of [
      'pods',
      'deployments.apps',
      'inferenceservices.serving.kserve.io',
      'leases.coordination.k8s.io',
    ]) {
      assert.ok(out.split('\n').includes(name), `${name} in ${out}`);
    }
    assert.match(await run('version'), /Server Version: .*v1\.32\.0/);
  });

  test('creates, shows and deletes', async () => {
    assert.match(
      await run('create deployment made --image=app:1 --replicas=2'),
      /deployment.apps\/made created/,
    );
    const columns = (await run('get deployments')).split('\n');
    assert.match(columns[0]!, /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE$/);
    assert.match(columns[1]!, /^made +0\/2 +0 +0 +\d+s$/);
    assert.match(
      await run('get deployment made -o wide'),
      /CONTAINERS +IMAGES +SELECTOR\nmade .* app +app:1 +app=made/,
    );
    const json = JSON.parse(await run('get deployment made -o json'));
    assert.equal(json.spec.strategy.rollingUpdate.maxSurge, '25%');
    assert.match(await run('get deployment made -o yaml'), /^kind: Deployment$/m);
    assert.equal(await run("get deployment made -o jsonpath='{.spec.replicas}'"), '2');
    assert.match(await run('delete deployment made'), /deployment.apps "made" deleted/);
    const gone = await kubectl('get deployment made');
    assert.equal(gone.err.trim(), 'Error from server (NotFound): deployments.apps "made" not found');
  });

  test('creates what it sends in protobuf as it is meant', async () => {
    await run('create configmap proto --from-literal=a=1 --from-literal=empty=');
    assert.deepEqual(JSON.parse(await run('get configmap proto -o json')).data, { a: '1', empty: '' });
    await run('create secret generic proto --from-literal=password=geheim');
    const secret = JSON.parse(await run('get secret proto -o json'));
    assert.equal(Buffer.from(secret.data.password, 'base64').toString(), 'geheim');
    assert.equal(secret.type, 'Opaque');
    await run('create service nodeport proto --tcp=80:8080 --node-port=31234');
    const service = JSON.parse(await run('get service proto -o json'));
    assert.equal(service.spec.ports[0].targetPort, 8080);
    assert.equal(service.spec.ports[0].nodePort, 31234);
    await run('create deployment proto --image=app:1 --port=80 --replicas=0 -- run it');
    const { spec } = JSON.parse(await run('get deployment proto -o json'));
    assert.equal(spec.replicas, 0);
    assert.deepEqual(spec.template.spec.containers[0].command, ['run', 'it']);
    assert.equal(spec.template.spec.containers[0].ports[0].containerPort, 80);
    await run('create serviceaccount proto');
    await run('delete configmap,secret,service,deployment,serviceaccount proto');
  });

  test('applies, applies again, and shows the difference', async () => {
    assert.match(await run('apply -f -', deployment('app:1')), /deployment.apps\/applied created/);
    assert.match(await run('apply -f -', deployment('app:1')), /deployment.apps\/applied unchanged/);
    const diff = await kubectl('diff -f -', deployment('app:2'));
    assert.equal(diff.code, 1, diff.err);
    assert.match(diff.out, /^\+ +image: app:2$|^\+ +- image: app:2$/m);
    assert.match(await run('apply -f -', deployment('app:2')), /deployment.apps\/applied configured/);
    const image = await run("get deployment applied -o jsonpath='{.spec.template.spec.containers[*].image}'");
    assert.equal(image, 'app:2');
    await run('delete -f -', deployment('app:2'));
  });

  test('refuses an unknown field where validation is strict, warns where it is not', async (context) => {
    const odd = deployment('app:1', 'imagee: x');
    const strict = await kubectl('apply --validate=true -f -', odd);
    assert.equal(strict.code, 1);
    assert.match(strict.err, /unknown field "(spec\.template\.spec\.containers\[0\]\.)?imagee"/);
    if (minor < 25) return context.diagnostic('this kubectl knows no --validate=warn');
    const warned = await kubectl('apply --validate=warn --dry-run=server -f -', odd);
    assert.equal(warned.code, 0, warned.err);
    assert.match(warned.err, /Warning: .*unknown field/);
  });

  test('is told what is wrong with an object', async () => {
    const body =
      'apiVersion: v1\nkind: Pod\nmetadata: {name: Bad_Name}\nspec: {containers: [{name: a, image: b}]}\n';
    const { code, err } = await kubectl('create -f -', body);
    assert.equal(code, 1);
    assert.match(
      err,
      /The Pod "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123/,
    );
  });

  test('a dry run on the server changes nothing', async () => {
    assert.match(
      await run('create configmap dry --from-literal=a=1 --dry-run=server'),
      /created \(server dry run\)/,
    );
    assert.equal((await kubectl('get configmap dry')).code, 1);
  });

  test('labels, annotates, patches, scales and sets an image', async () => {
    await run('create deployment changed --image=app:1');
    await run('label deployment changed tier=front');
    await run('annotate deployment changed note=hello');
    await run('patch deployment changed --type=merge -p \'{"spec":{"paused":true}}\'');
    await run('patch deployment changed --type=json -p \'[{"op":"remove","path":"/spec/paused"}]\'');
    await run(
      'patch deployment changed -p \'{"spec":{"template":{"spec":{"containers":[{"name":"app","tty":true}]}}}}\'',
    );
    assert.match(await run('scale deployment changed --replicas=3'), /deployment.apps\/changed scaled/);
    await run('set image deployment/changed app=app:2');
    const object = JSON.parse(await run('get deployment -l tier=front -o json')).items[0];
    assert.equal(object.metadata.annotations.note, 'hello');
    assert.equal(object.spec.replicas, 3);
    assert.equal(object.spec.paused, undefined);
    const { image, tty } = object.spec.template.spec.containers[0];
    assert.deepEqual({ image, tty }, { image: 'app:2', tty: true });
    assert.match(await run('describe deployment changed'), /Replicas: +3 desired \| 0 updated/);
    await run('delete deployment changed');
  });

  test('exposes a deployment with an address of its own', async () => {
    await run('create deployment exposed --image=app:1');
    await run('expose deployment exposed --type=LoadBalancer --port=80');
    assert.match(
      await run('get service exposed --no-headers'),
      /^exposed +LoadBalancer +10\.43\.\d+\.\d+ +<pending> +80:3\d{4}\/TCP/,
    );
    assert.match(await run('describe service exposed'), /Selector: +app=exposed/);
    await run('delete service,deployment exposed');
  });

  test('is told of a conflict when somebody else was faster', async () => {
    await run('create configmap raced --from-literal=a=1');
    const stale = await run('get configmap raced -o yaml');
    await run('annotate configmap raced by=other');
    const { code, err } = await kubectl('replace -f -', stale);
    assert.equal(code, 1);
    assert.match(
      err,
      /Error from server \(Conflict\).*the object has been modified; please apply your changes to the latest version/s,
    );
    await run('delete configmap raced');
  });

  test('watches, and waits for a condition and for a deletion', async () => {
    await run('run waited --image=app:1 --restart=Never');
    const watcher = spawn('kubectl', ['get', 'pods', '--watch', '--no-headers', '-o', 'name'], {
      env: environment(),
    });
    const seen: string[] = [];
    const sawTwice = new Promise<void>((resolve) => {
      watcher.stdout.on('data', (chunk) => {
        seen.push(...String(chunk).trim().split('\n'));
        if (seen.length === 1) setReady().catch(() => {});
        if (seen.filter((line) => line === 'pod/waited').length >= 2) resolve();
      });
    });
    const setReady = () =>
      send(running.server.transport(), 'PATCH /api/v1/namespaces/default/pods/waited/status', {
        body: { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
        headers: { 'content-type': 'application/strategic-merge-patch+json' },
      });
    await sawTwice;
    watcher.kill();
    await run('wait pod/waited --for=condition=Ready --timeout=5s');
    const watches = await watchesOpened();
    const deleted = kubectl('wait pod/waited --for=delete --timeout=10s');
    while ((await watchesOpened()) === watches) await new Promise((resolve) => setImmediate(resolve));
    await run('delete pod waited');
    assert.equal((await deleted).code, 0);
  });

  test('selects by fields and by labels', async () => {
    await run('run one --image=app:1 -l app=x');
    await run('run two --image=app:1 -l app=y');
    assert.equal(await run('get pods --field-selector=metadata.name=two -o name'), 'pod/two\n');
    assert.equal(await run("get pods -l 'app in (x)' -o name"), 'pod/one\n');
    assert.equal(await run('get pods --field-selector=status.phase=Running -o name'), '');
    assert.match(await run('get all -A'), /service\/kubernetes/);
    await run('delete pod --all');
  });

  test('explains a field', async () => {
    const out = await run('explain deployment.spec.replicas');
    assert.match(out, /KIND: +Deployment/);
    assert.match(out, /FIELD: +replicas <integer>/);
  });

  test('asks who it is and what it may do', async () => {
    if (minor >= 27) assert.match(await run('auth whoami'), /selvage-admin/);
    assert.equal((await run('auth can-i create pods')).trim(), 'yes');
    const config = running.writeKubeconfig('somebody', ['some-group']);
    const { code, err } = await kubectl(`--kubeconfig=${config} get pods`);
    assert.equal(code, 1);
    assert.match(
      err,
      /pods is forbidden: User "somebody" cannot list resource "pods" in API group "" in the namespace "default"/,
    );
    assert.equal((await kubectl(`--kubeconfig=${config} auth can-i get pods`)).out.trim(), 'no');
  });

  test('reads a log from the node that has the pod', async () => {
    const transport = running.server.transport();
    await send(transport, 'POST /api/v1/nodes', { body: { metadata: { name: 'n1' } } });
    const pod = {
      metadata: { name: 'talks' },
      spec: {
        nodeName: 'n1',
        containers: [
          { name: 'a', image: 'x' },
          { name: 'b', image: 'x' },
        ],
      },
    };
    await send(transport, 'POST /api/v1/namespaces/default/pods', { body: pod });
    assert.equal(await run('logs talks -c a --tail=2'), 'log of a, tailLines=2\n');
    const wrong = await kubectl('logs talks -c c');
    assert.match(wrong.err, /container c is not valid for pod talks/);
    const waiting = await kubectl('logs talks -c b');
    assert.match(waiting.err, /container "b" in pod "talks" is waiting to start: ContainerCreating/);
    await run('delete pod talks --force --grace-period=0');
    await run('delete node n1');
  });

  test('edits with an editor', async () => {
    await run('create configmap edited --from-literal=a=1');
    const editor = join(running.dir, 'editor.sh');
    writeFileSync(editor, '#!/bin/sh\nsed -i \'s/a: "1"/a: "2"/\' "$1"\n', { mode: 0o755 });
    await run('edit configmap edited');
    assert.equal(await run("get configmap edited -o jsonpath='{.data.a}'"), '2');
  });
});

/** How many watches of pods the server has opened, by its own count. */
async function watchesOpened(): Promise<string> {
  const headers = {};
  const query = new URLSearchParams();
  const response = await running.server.transport()({ method: 'GET', path: '/metrics', query, headers });
  assert.equal(response.kind, 'bytes');
  let text = '';
  for await (const bytes of response.kind === 'bytes' ? response.bytes : []) text += Buffer.from(bytes);
  return (
    /^apiserver_request_total\{verb="WATCH",[^}]*resource="pods",[^}]*code="200"\} (\d+)$/m.exec(text)?.[1] ??
    '0'
  );
}

function kubeletTls() {
  const { certificatePem, privateKeyPem } = running.issueClient('selvage-apiserver');
  return { caPem: running.authority.caPem, certPem: certificatePem, keyPem: privateKeyPem };
}

/** Stands in for a node: answers for container `a`, and is not ready with `b`. */
async function startKubelet(): Promise<Server> {
  const { chainPem, privateKeyPem } = running.authority.issue({
    commonName: 'system:node:n1',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  const tls = { cert: chainPem, key: privateKeyPem, ca: running.authority.caPem, requestCert: true };
  const server = createServer(tls, (request, response) => {
    const url = new URL(request.url!, 'https://kubelet');
    const container = url.pathname.split('/').at(-1);
    if (container === 'a') return response.end(`log of a, ${url.searchParams}\n`);
    response.writeHead(400);
    response.end('container "b" in pod "talks" is waiting to start: ContainerCreating');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
