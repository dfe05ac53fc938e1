// Commands in isolates by a real kubectl: exec, cp, debug, run -i; probes and hooks that run commands; node ports.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, kubectlMinor, missing, openShell, type Shell } from './shell.ts';

const objects = `
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {greeting: hello}
---
apiVersion: v1
kind: Pod
metadata: {name: tools}
spec:
  terminationGracePeriodSeconds: 5
  initContainers:
  - name: proxy
    image: selvage.dev/builtin/shell
    restartPolicy: Always
    command: [sh, -c, 'echo proxy > /work/order; sleep infinity']
    startupProbe: {exec: {command: [test, -f, /work/order]}, periodSeconds: 1}
    volumeMounts: [{name: work, mountPath: /work}]
  - name: init
    image: selvage.dev/builtin/shell
    command: [sh, -c, 'echo init >> /work/order']
    volumeMounts: [{name: work, mountPath: /work}]
  containers:
  - name: main
    image: selvage.dev/builtin/shell
    command: [sleep, infinity]
    env: [{name: COLOR, value: blue}]
    readinessProbe: {exec: {command: [cat, /work/ready]}, periodSeconds: 1}
    lifecycle:
      postStart: {exec: {command: [sh, -c, 'echo main >> /work/order']}}
    volumeMounts: [{name: work, mountPath: /work}, {name: conf, mountPath: /etc/conf}]
  volumes:
  - {name: work, emptyDir: {}}
  - {name: conf, configMap: {name: conf}}
---
apiVersion: v1
kind: Pod
metadata: {name: says}
spec:
  restartPolicy: Never
  containers:
  - {name: file, image: selvage.dev/builtin/shell, args: [sh, -c, 'echo last words > /dev/termination-log; exit 3']}
  - name: log
    image: selvage.dev/builtin/shell
    args: [sh, -c, 'echo printed; exit 1']
    terminationMessagePolicy: FallbackToLogsOnError
---
apiVersion: batch/v1
kind: Job
metadata: {name: with-sidecar}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers:
      - {name: side, image: selvage.dev/builtin/shell, restartPolicy: Always, command: [sleep, infinity]}
      containers:
      - {name: main, image: selvage.dev/builtin/shell, command: ["true"]}
`;

const program = `export default { fetch: () => new Response('answer of ' + process.env.HOSTNAME + '\\n') };\n`;

/** kubectl 1.31 and newer speak WebSocket unless they are told not to; older ones only SPDY. */
const protocols = [
  ['SPDY', 'KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false'],
  ...(kubectlMinor >= 31 ? [['WebSocket', '']] : []),
] as [string, string][];

test('kubectl works in isolates as in containers', {
  skip: missing('kubectl', 'curl'),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  writeFileSync(join(shell.home, 'objects.yaml'), objects);
  await shell.run(`kubectl apply -f ${join(shell.home, 'objects.yaml')}`);

  await t.test('readiness waits for a command, and its failure is an event', async () => {
    await eventually(async () => {
      const events = await shell.run('kubectl describe pod tools');
      assert.match(
        events,
        /Unhealthy .*Readiness probe failed: cat: \/work\/ready: No such file or directory/,
      );
    });
    assert.match(await shell.run('kubectl get pod tools'), /1\/2 +Running/);
    await shell.run('kubectl exec tools -c main -- touch /work/ready');
    await shell.run('kubectl wait --for=condition=Ready pod/tools --timeout=60s');
  });
  await t.test('sidecar, init container, main container and hook ran in this order', async () => {
    assert.equal(await shell.run('kubectl exec tools -- cat /work/order 2>/dev/null'), 'proxy\ninit\nmain\n');
  });
  for (const [name, environment] of protocols) {
    await t.test(`exec over ${name}`, () => executes(shell, environment));
    await t.test(`cp over ${name}`, () => copies(shell, environment));
  }
  await t.test('run -i --rm carries input, and the exit code', async () => {
    const run = 'kubectl run once -i --rm --quiet --restart=Never --image=selvage.dev/builtin/shell --';
    assert.match(await shell.run(`echo typed | ${run} sh -c 'cat; exit 4'`, { code: 4 }), /^typed\n/);
  });
  await t.test('last words come from the file, or from the log', async () => {
    const message = (name: string) =>
      `{.status.containerStatuses[?(@.name=="${name}")].state.terminated.message}`;
    await eventually(async () => {
      assert.equal(await shell.run(`kubectl get pod says -o jsonpath='${message('file')}'`), 'last words\n');
      assert.equal(await shell.run(`kubectl get pod says -o jsonpath='${message('log')}'`), 'printed\n');
    });
  });
  await t.test('a job completes though its sidecar runs', async () => {
    await shell.run('kubectl wait --for=condition=Complete job/with-sidecar --timeout=60s');
  });
  await t.test(
    'debug starts a container beside the others',
    { skip: kubectlMinor < 25 ? 'kubectl 1.20 has no --profile and another subresource' : false },
    () => debugs(shell),
  );
  await t.test('a node port is answered by the pods of its Service, which have its address', () =>
    answers(shell),
  );
  up.process.kill('SIGINT');
  assert.equal(await up.exited, 0, up.output());
});

async function executes(shell: Shell, environment: string): Promise<void> {
  const run = (line: string, code = 0) =>
    shell.run(`env ${environment} kubectl exec tools -c main ${line}`, { code });
  assert.equal(await run(`-- sh -c 'echo $COLOR $(cat /etc/conf/greeting); pwd; exit 0'`), 'blue hello\n/\n');
  assert.equal(await run('-- ls / /etc'), '/:\ndev\netc\nvar\nwork\n\n/etc:\nconf\nos-release\n');
  assert.equal(await run(`-- sh -c 'exit 7'`, 7), 'command terminated with exit code 7\n');
  assert.equal(
    await run('-- nope', 127),
    'exec: "nope": executable file not found in $PATH\ncommand terminated with exit code 127\n',
  );
  assert.equal(await run('-- node -p "1 + 1"'), '2\n');
  assert.equal(await run(`-i -- sh < <(echo 'echo from a script')`), 'from a script\n');
  const denied = await run(`-- node -e 'require("fs").readFileSync("/etc/passwd")'`, 1);
  assert.match(denied, /ERR_ACCESS_DENIED/);
  const version = `wget -qO- https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/version`;
  assert.match(await run(`-- sh -c '${version}'`), /"major":"1"/);
}

async function copies(shell: Shell, environment: string): Promise<void> {
  const [from, back] = [join(shell.home, 'from'), join(shell.home, 'back')];
  mkdirSync(join(from, 'below'), { recursive: true });
  writeFileSync(join(from, 'run.sh'), 'echo ran\n');
  chmodSync(join(from, 'run.sh'), 0o750);
  const large = Buffer.alloc(2_000_000, 'selvage');
  writeFileSync(join(from, 'below', 'large'), large);
  const cp = (line: string) => shell.run(`env ${environment} kubectl cp -c main ${line}`);
  await shell.run('kubectl exec tools -c main -- rm -rf /work/to');
  await cp(`${from} tools:/work/to`);
  const listed = await shell.run(
    `kubectl exec tools -c main -- sh -c 'stat -c "%a %s %n" /work/to/* /work/to/*/*'`,
  );
  assert.match(
    listed,
    /^\d+ \d+ \/work\/to\/below\n750 9 \/work\/to\/run\.sh\n644 2000000 \/work\/to\/below\/large\n$/,
  );
  assert.equal(await shell.run('kubectl exec tools -c main -- sh /work/to/run.sh'), 'ran\n');
  await cp(`tools:/work/to ${back}`);
  assert.ok(readFileSync(join(back, 'below', 'large')).equals(large));
  assert.equal(statSync(join(back, 'run.sh')).size, 9);
  const refused = await shell.run(`kubectl cp -c main ${from}/run.sh tools:/etc/x`, { code: 2 });
  assert.match(refused, /tar: x: Read-only file system\n/);
}

async function debugs(shell: Shell): Promise<void> {
  const debug = 'kubectl debug tools --profile=general --image=selvage.dev/builtin/shell';
  await shell.run(`${debug} -c look --target=main -- sh -c 'echo looked; exit 2'`);
  await eventually(async () => {
    assert.equal(await shell.run('kubectl logs tools -c look'), 'looked\n');
    const code = '{.status.ephemeralContainerStatuses[0].state.terminated.exitCode}';
    assert.equal(await shell.run(`kubectl get pod tools -o jsonpath='${code}'`), '2');
  });
  assert.match(await shell.run('kubectl get pod tools'), /2\/2 +Running +0 /);
}

async function answers(shell: Shell): Promise<void> {
  const folder = join(shell.home, 'who');
  mkdirSync(folder);
  writeFileSync(join(folder, 'server.js'), program);
  writeFileSync(join(folder, 'package.json'), '{"type":"module","main":"server.js"}');
  await shell.run(`selvage build ${folder} -t who:1`);
  await shell.run('kubectl run who --image=who:1 --port=8080');
  const port = await freeNodePort();
  await shell.run(`kubectl create service nodeport who --tcp=80:8080 --node-port=${port}`);
  await shell.run(`kubectl set selector service who run=who`);
  await shell.run('kubectl wait --for=condition=Ready pod/who --timeout=60s');
  await eventually(async () =>
    assert.equal(await shell.run(`curl -sS --max-time 5 http://127.0.0.1:${port}/`), 'answer of who\n'),
  );
  const line = `wget -qO- http://$WHO_SERVICE_HOST:$WHO_SERVICE_PORT`;
  const client = `kubectl run client -i --rm --quiet --restart=Never --image=selvage.dev/builtin/shell`;
  assert.match(await shell.run(`${client} -- sh -c '${line}' < /dev/null`), /(^|\n)answer of who\n/);
}

/** One that no other cluster on this machine listens on. */
async function freeNodePort(): Promise<number> {
  for (;;) {
    const port = 31_000 + Math.floor(Math.random() * 1_700);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}
