// kubectl's byte streams to pods of a real `selvage up`: port-forward, attach, exec, logs; over WebSocket and over SPDY.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, kubectlMinor, missing, openShell, type Shell } from './shell.ts';

const skip = missing('kubectl', 'curl');

const program = `
let count = 0;
setInterval(() => {
  console.log('out', ++count);
  console.error('err', count);
  if (count === Number(process.env.ENDS_AT)) process.exit(3);
}, 200);
export default {
  async fetch(request) {
    return new Response('got ' + (await request.arrayBuffer()).byteLength + ' bytes');
  },
};
`;

const objects = `
apiVersion: v1
kind: Pod
metadata: {name: talks, labels: {app: talks}}
spec:
  containers:
  - {name: first, image: talks:1}
  - {name: second, image: talks:1}
---
apiVersion: v1
kind: Service
metadata: {name: talks}
spec:
  selector: {app: talks}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: ends}
spec:
  containers:
  - {name: main, image: talks:1, env: [{name: ENDS_AT, value: "2"}]}
`;

/** kubectl 1.31 and newer speak WebSocket unless they are told not to; older ones only SPDY. */
const isWebSocketSpoken = kubectlMinor >= 31;
const protocols = [
  ['SPDY', 'KUBECTL_PORT_FORWARD_WEBSOCKETS=false KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false'],
  ...(isWebSocketSpoken ? [['WebSocket', '']] : []),
] as [string, string][];

test('kubectl forwards ports, attaches, executes commands, and reads logs', {
  skip,
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  const folder = join(shell.home, 'talks');
  mkdirSync(folder);
  writeFileSync(join(folder, 'server.js'), program);
  writeFileSync(join(folder, 'package.json'), '{"type":"module","main":"server.js"}');
  writeFileSync(join(shell.home, 'objects.yaml'), objects);
  writeFileSync(join(shell.home, 'large'), Buffer.alloc(3_000_000, 'x'));
  await shell.run(`selvage build ${folder} -t talks:1`);
  await shell.run(`kubectl apply -f ${join(shell.home, 'objects.yaml')}`);
  await shell.run('kubectl wait --for=condition=Ready pod/talks --timeout=60s');

  for (const [name, environment] of protocols) {
    await t.test(`port-forward over ${name}`, () => forwardsPorts(shell, name, environment));
    await t.test(`attach over ${name}`, async () => {
      const attached = shell.start(`env ${environment} kubectl attach talks -c second`);
      const seen = await attached.until(/^out \d+\n(.*\n)*err \d+\n/m);
      assert.doesNotMatch(seen, /^out 1$/m, 'only what is printed from now on');
    });
    await t.test(`exec over ${name}`, async () => {
      const run = (line: string, code = 0) =>
        shell.run(`env ${environment} kubectl exec talks -c first ${line}`, { code });
      assert.match(
        await run('-- ps'),
        /^PID .*\n(\d+ +(first|second) +[\d:]+ +node \/app\/server\.js\n){2}$/,
      );
      assert.match(await run('-- sh -c "exit 3"', 3), /^command terminated with exit code 3\n$/);
      const large = join(shell.home, 'large');
      assert.equal(await run(`-i -- wc -c < ${large}`), '3000000\n');
    });
  }
  await t.test('run --attach ends with the exit code of the program', async () => {
    const line = 'kubectl run once --image=talks:1 --env=ENDS_AT=10 --restart=Never --attach --rm';
    assert.match(await shell.run(line, { code: 3 }), /^out 10$/m);
  });
  await t.test('top', () => readsUsage(shell));
  await t.test('logs', () => readsLogs(shell));
  up.process.kill('SIGINT');
  assert.equal(await up.exited, 0, up.output());
});

async function forwardsPorts(shell: Shell, name: string, environment: string): Promise<void> {
  const forward = shell.start(`env ${environment} kubectl -v=7 port-forward service/talks :80`);
  const output = await forward.until(/Forwarding from 127\.0\.0\.1:\d+ -> 8080/);
  // One that is refused WebSocket tries SPDY next.
  assert.equal(/POST .*\/portforward/.test(output), name === 'SPDY', output);
  const port = /127\.0\.0\.1:(\d+) -> 8080/.exec(output)![1];
  const url = `http://127.0.0.1:${port}/`;
  const large = join(shell.home, 'large');
  const uploads = await Promise.all(
    [1, 2, 3, 4].map(() => shell.run(`curl -sS --max-time 20 --data-binary @${large} ${url}`)),
  );
  assert.deepEqual(uploads, Array(4).fill('got 3000000 bytes'));
  assert.equal(await shell.run(`curl -sS --max-time 20 ${url}`), 'got 0 bytes');
  forward.process.kill('SIGINT');
  await forward.exited;
}

async function readsUsage(shell: Shell): Promise<void> {
  assert.match(await shell.run('kubectl top node'), /^NAME .*\n\S+ +\d+m +\d+% +\d+Mi +\d+% *\n$/);
  // A container that has just been started has no rate yet.
  await eventually(async () => {
    const used = await shell.run('kubectl top pod -l app=talks --containers --no-headers');
    assert.match(used, /^talks +first +\d+m +[1-9]\d*Mi *\ntalks +second +\d+m +[1-9]\d*Mi *\n$/);
  });
}

async function readsLogs(shell: Shell): Promise<void> {
  const logs = (options: string) => shell.run(`kubectl logs ${options}`);
  assert.match(await logs('talks -c first --tail=2'), /^(out|err) \d+\n(out|err) \d+\n$/);
  assert.equal(await logs('talks -c first --limit-bytes=5'), 'out 1');
  assert.match(
    await logs('talks -c first --tail=1 --timestamps'),
    /^\d{4}-\d\d-\d\dT[\d:.]+Z (out|err) \d+\n$/,
  );
  assert.doesNotMatch(await logs('talks -c first --since=1s'), /^out 1$/m);
  const both = await logs('-l app=talks --all-containers --prefix --tail=1');
  const prefixes = both
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0]);
  assert.deepEqual(prefixes.sort(), ['[pod/talks/first]', '[pod/talks/second]']);
  await eventually(async () => assert.equal(await logs('ends --previous'), 'out 1\nerr 1\nout 2\nerr 2\n'));
  const follow = shell.start('kubectl logs -f talks -c first --tail=1');
  await follow.until(/(.*\n){4}/);
}
