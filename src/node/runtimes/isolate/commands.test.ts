import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { isRunning } from '../../../base/is-running.ts';
import { silentLog } from '../../../base/log.ts';
import { until } from '../../../base/until.ts';
import { makeFolder, routesTo, specOf, startListening, type TestFolder } from '../fixture.ts';
import type { ContainerSpec, RunningProcess } from '../runtime.ts';
import { connectShim, type ShimClient } from '../shim/client.ts';
import { sessionsPerPodMax } from '../shim/process-server.ts';

let folder: TestFolder;
let shim: ShimClient;
let lastIP = 1;

before(async () => {
  folder = makeFolder();
  shim = await connectShim({ dataDir: folder.dir, log: silentLog, spawnIfAbsent: true });
});
after(async () => {
  await shim.shutdown({ graceSeconds: 1 });
  folder.remove();
});

const greeter = `
  console.log('started');
  process.stdin.on('data', (chunk) => console.log('got ' + String(chunk).trim()));
  export default { fetch: () => new Response('hello') };`;

async function start(
  name: string,
  extra: Partial<Parameters<typeof specOf>[1]> = {},
): Promise<ContainerSpec> {
  const rootDir = folder.image(name, { 'main.ts': greeter, 'package.json': '{"type":"module"}' });
  const spec = specOf(folder, { name, ip: `10.42.0.${++lastIP}`, rootDir, env: { COLOR: 'blue' }, ...extra });
  await startListening(shim, spec);
  return spec;
}

const open = (spec: ContainerSpec, command: string[], { stdin = false, tty = false } = {}) =>
  shim.open({ kind: 'exec', id: spec.id, command, stdin, tty });

async function resultOf(process: RunningProcess): Promise<string> {
  const [out, errors] = await Promise.all([process.stdout.toArray(), process.stderr.toArray()]);
  const { exitCode, message } = await process.ended;
  return `${out.join('')}${errors.join('')}[${message ?? exitCode}]`;
}

test('a command runs in the sandbox of its container, and reaches Services as it does', async () => {
  const spec = await start('sandboxed', { grants: { worker: true, addons: true, egress: [] } });
  await shim.pushRoutes(routesTo({ web: [spec.pod.ip] }));
  const run = async (...command: string[]) => resultOf(await open(spec, command));
  assert.equal(await run('sh', '-c', 'echo $COLOR; exit 3'), 'blue\n[3]');
  assert.equal(await run('wget', '-qO-', 'http://web/'), 'hello[0]');
  assert.match(await run('node', '-e', 'require("fs").readdirSync("/etc")'), /ERR_ACCESS_DENIED[\s\S]*\[1\]/);
  assert.match(
    await run('node', '-e', 'require("net").connect(80, "127.0.0.1").on("error", console.log)'),
    /ERR_ACCESS_DENIED/,
  );
  assert.match(
    await run('node', '-e', 'new (require("worker_threads").Worker)("1", {eval: true})'),
    /ERR_ACCESS_DENIED/,
    'what the image may is not for commands',
  );
});

test('input and output are carried whole, however large', async () => {
  const process = await open(await start('large'), ['cat'], { stdin: true });
  const size = 3_000_000;
  const received = process.stdout.toArray();
  process.stdin.end(Buffer.alloc(size, 'x'));
  assert.equal(Buffer.concat(await received).length, size);
  assert.deepEqual(await process.ended, { exitCode: 0 });
});

test('a command ends with its client, and with its container', async () => {
  const spec = await start('ending');
  for (const end of ['client', 'container'] as const) {
    const process = await open(spec, ['node', '-e', 'console.log(process.pid); setInterval(() => {}, 1e6)']);
    const pid = Number(
      await new Promise((resolve) => process.stdout.once('data', (chunk) => resolve(String(chunk)))),
    );
    assert.ok(isRunning(pid));
    if (end === 'client') process.kill();
    else await shim.stop(spec.id, { graceSeconds: 1 });
    await until('the process is gone', () => !isRunning(pid));
  }
  assert.match(await resultOf(await open(spec, ['true'])), /is not running\]$/);
});

test('whoever is attached writes to standard input and sees what is printed from then on', async () => {
  const spec = await start('attached', { stdin: true });
  const process = await shim.open({ kind: 'attach', id: spec.id, stdin: true });
  let shown = '';
  process.stdout.on('data', (chunk) => (shown += chunk));
  process.stdin.write('first\n');
  await until('the program has answered', () => shown === 'got first\n');
  await shim.stop(spec.id, { graceSeconds: 5 });
  assert.deepEqual(await process.ended, { exitCode: 0 });
});

test('the one client that a container was started for sees what was printed before it came', async () => {
  const spec = await start('quick', { stdin: true, stdinOnce: true });
  await until('it has printed', () => /started/.test(readFileSync(spec.logPath, 'utf8')));
  const first = await shim.open({ kind: 'attach', id: spec.id, stdin: false });
  let shown = '';
  first.stdout.on('data', (chunk) => (shown += chunk));
  await until('the first client has seen it', () => shown === 'started\n');
  const second = await shim.open({ kind: 'attach', id: spec.id, stdin: false });
  const seenBySecond = second.stdout.toArray();
  await shim.stop(spec.id, { graceSeconds: 5 });
  assert.deepEqual(await first.ended, { exitCode: 0 });
  assert.deepEqual(await seenBySecond, []);
});

test('a terminal echoes, edits and interrupts', async () => {
  const process = await open(await start('terminal'), ['sh'], { stdin: true, tty: true });
  let shown = '';
  process.stdout.on('data', (chunk) => (shown += chunk));
  const typed = async (text: string, isAnswered: () => boolean) => {
    process.stdin.write(text);
    await until(`${JSON.stringify(text)} is answered`, isAnswered).catch(() => assert.fail(shown));
  };
  process.resize({ columns: 111, rows: 33 });
  await until('the prompt is there', () => shown.includes('$ '));
  await typed('node -p process.stdout.columns\r', () => /\n111\n/.test(shown));
  await typed('cat\r', () => shown.includes('cat'));
  await typed('abX\x7fc\r', () => /\nabc\n/.test(shown));
  await typed('\x03', () => shown.includes('^C'));
  await typed('echo $?\r', () => /\n130\n/.test(shown));
  process.stdin.write('exit 4\r');
  assert.deepEqual(await process.ended, { exitCode: 4 });
});

test('a pod has so many commands and clients at a time and no more', async () => {
  const spec = await start('bounded');
  const attach = () => shim.open({ kind: 'attach', id: spec.id, stdin: false });
  const all = await Promise.all(Array.from({ length: sessionsPerPodMax }, attach));
  assert.match(
    await resultOf(await open(spec, ['true'])),
    /has 32 commands and attached clients; end one first/,
  );
  for (const each of all) each.kill();
  await until('there is room again', async () => (await resultOf(await open(spec, ['true']))) === '[0]');
});

test('a script that may not do what it does fails, in whichever way it is told', async () => {
  const spec = await start('denied');
  const scripts = [
    'require("net").connect(80, "127.0.0.1")',
    'require("net").connect(80, "example.com")',
    'require("http").get("http://127.0.0.1:8080/")',
    'require("dgram").createSocket("udp4").send("x", 53, "192.0.2.1")',
    'fetch("http://example.com/")',
    'import net from "node:net"; net.connect(80, "127.0.0.1")',
    'setTimeout(() => require("net").connect(80, "127.0.0.1"), 10)',
  ];
  for (const script of scripts) {
    const result = await resultOf(await open(spec, ['node', '-e', script]));
    assert.match(result, /ERR_ACCESS_DENIED|not granted/, script);
    assert.match(result, /\[1\]$/, script);
  }
});
