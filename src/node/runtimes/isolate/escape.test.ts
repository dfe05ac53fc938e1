import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../../../base/log.ts';
import { ask, makeFolder, runToEnd, specOf, startListening, type TestFolder } from '../fixture.ts';
import { connectShim, type ShimClient } from '../shim/client.ts';
import { shimPaths } from '../shim/paths.ts';

let folder: TestFolder;
let shim: ShimClient;

before(async () => {
  folder = makeFolder();
  shim = await connectShim({ dataDir: folder.dir, log: silentLog, spawnIfAbsent: true });
});
after(async () => {
  await shim.shutdown({ graceSeconds: 1 });
  folder.remove();
});

const run = (name: string, source: string, extra: Partial<Parameters<typeof specOf>[1]> = {}) => {
  const rootDir = folder.image(name, { 'main.mjs': source });
  return specOf(folder, { name, ip: '10.42.0.2', rootDir, entry: 'main.mjs', ...extra });
};

test('what a pod was not granted, it cannot do', async (t) => {
  const outside = path.join(folder.dir, 'outside');
  mkdirSync(outside);
  writeFileSync(path.join(outside, 'secret.txt'), 'secret');
  const writable = path.join(folder.dir, 'volume');
  mkdirSync(writable);
  writeFileSync(path.join(outside, 'module.mjs'), 'export default 1');
  const open = net.createServer().listen(0, '127.0.0.1');
  await once(open, 'listening');
  t.after(() => open.close());
  const { port } = open.address() as net.AddressInfo;
  const paths = shimPaths(folder.dir);
  // Each attempt that succeeds answers something that is not an error.
  const attempts: Record<string, string> = {
    'read a file': `fs.readFileSync(outside + '/secret.txt')`,
    'read by dots': `fs.readFileSync(writable + '/../outside/secret.txt')`,
    'read by bytes': `fs.readFileSync(Buffer.from(writable + '/../outside/secret.txt'))`,
    'read by URL': `fs.readFileSync(url.pathToFileURL(outside + '/secret.txt'))`,
    'read through /proc': `fs.readFileSync('/proc/self/root' + outside + '/secret.txt')`,
    'read its first environment': `fs.readFileSync('/proc/self/environ')`,
    "read the shim's environment": `fs.readFileSync('/proc/' + process.ppid + '/environ')`,
    'read as a blob': `(await fs.openAsBlob(outside + '/secret.txt')).text()`,
    'list a folder': `fs.readdirSync(outside)`,
    'write a file': `fs.writeFileSync(outside + '/new.txt', 'x')`,
    'link symbolically': `fs.symlinkSync(outside + '/secret.txt', writable + '/link')`,
    'link symbolically, relative': `fs.symlinkSync('../outside/secret.txt', writable + '/link')`,
    link: `fs.linkSync(outside + '/secret.txt', writable + '/link')`,
    'rename into reach': `fs.renameSync(outside + '/secret.txt', writable + '/mine')`,
    'copy into reach': `fs.cpSync(outside, writable + '/copy', { recursive: true })`,
    'import a module': `import(outside + '/module.mjs')`,
    'open a database': `new (await import('node:sqlite')).DatabaseSync(outside + '/new.db')`,
    'open a database by getBuiltinModule': `new (process.getBuiltinModule('node:sqlite').DatabaseSync)(outside + '/new.db')`,
    'write by a V8 flag': `v8.setFlagsFromString('--redirect-code-traces-to=' + outside + '/trace')`,
    'write a heap snapshot': `v8.writeHeapSnapshot(outside + '/heap')`,
    'write a report': `process.report.writeReport(outside + '/report')`,
    'connect by TCP': `new Promise((resolve, reject) => net.connect(${port}, '127.0.0.1').on('connect', resolve).on('error', reject))`,
    'connect to the shim': `new Promise((resolve, reject) => net.connect(${JSON.stringify(paths.control)}).on('connect', resolve).on('error', reject))`,
    'connect to the dial socket': `new Promise((resolve, reject) => net.connect(${JSON.stringify(paths.dial)}).on('connect', resolve).on('error', reject))`,
    'connect to the pair socket': `new Promise((resolve, reject) => net.connect(${JSON.stringify(paths.pair)}).on('connect', resolve).on('error', reject))`,
    'send a datagram': `new Promise((resolve, reject) => dgram.createSocket('udp4').on('error', reject).send('x', 9, '127.0.0.1', (error) => error ? reject(error) : resolve()))`,
    'resolve a name': `(await import('node:dns/promises')).lookup('localhost')`,
    'ask a name server': `(await import('node:dns/promises')).resolve4('localhost')`,
    spawn: `childProcess.spawnSync('/bin/true').status ?? Promise.reject(new Error('no'))`,
    'replace itself': `process.execve('/bin/true', ['true'], {})`,
    'start a worker': `new (await import('node:worker_threads')).Worker('1', { eval: true })`,
    'load an addon': `process.dlopen({ exports: {} }, outside + '/addon.node')`,
    'load WASI': `new (await import('node:wasi')).WASI({ version: 'preview1', preopens: { '/': '/' } })`,
    'open the inspector': `(await import('node:inspector')).open(0)`,
    'signal the shim': `process.kill(process.ppid, 0)`,
    'signal the shim by import': `(await import('node:process')).kill(process.ppid, 0)`,
    'signal the shim, raw': `process._kill(process.ppid, 0)`,
    'debug the shim': `process._debugProcess(process.ppid)`,
    'slow the shim': `os.setPriority(process.ppid, 19)`,
    'become another user': `process.setuid(1)`,
    'use internal bindings': `process.binding('fs')`,
    'list all handles': `process._getActiveHandles()`,
    'speak to the shim': `process.send({ type: 'dial' })`,
  };
  const source = `
    import childProcess from 'node:child_process';
    import dgram from 'node:dgram';
    import fs from 'node:fs';
    import net from 'node:net';
    import os from 'node:os';
    import url from 'node:url';
    import v8 from 'node:v8';
    const outside = ${JSON.stringify(outside)}, writable = ${JSON.stringify(writable)};
    const attempts = {
      ${Object.entries(attempts)
        .map(([name, code]) => `${JSON.stringify(name)}: async () => (${code}),`)
        .join('\n')}
    };
    const succeeded = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      try { succeeded[name] = String(await attempt()); } catch (error) {
        // An attempt that is itself wrong proves nothing.
        if (error instanceof ReferenceError || error instanceof SyntaxError) succeeded[name] = String(error);
      }
    }
    export default { fetch: () => Response.json({ succeeded, tried: Object.keys(attempts).length, env: process.env }) };`;
  const spec = run('escape', source, { mounts: [{ mountPath: '/v', hostPath: writable, readOnly: false }] });
  await startListening(shim, spec);
  const { succeeded, tried, env } = JSON.parse((await ask(shim, spec.pod.ip)).text);
  assert.deepEqual(succeeded, {});
  assert.equal(tried, Object.keys(attempts).length);
  assert.deepEqual(Object.keys(env), ['SELVAGE_MOUNTS'], 'nothing of the environment of shim and agent');
  assert.equal(existsSync(path.join(outside, 'new.db')), false);
  await shim.stop(spec.id, { graceSeconds: 1 });
});

test('no environment variable of the pod loosens its sandbox', async () => {
  const env = { NODE_OPTIONS: '--allow-fs-read=* --allow-child-process --allow-net', LD_PRELOAD: '/none.so' };
  const source = `
    import fs from 'node:fs';
    try { fs.readFileSync('/etc/hostname'); process.exit(1); } catch { process.exit(process.env.NODE_OPTIONS ? 0 : 2); }`;
  assert.equal((await runToEnd(shim, run('options', source, { env }))).exitCode, 0);
});

test('a pod may signal itself', async () => {
  const state = await runToEnd(
    shim,
    run('itself', `process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);`),
  );
  assert.equal(state.exitCode, 137);
});

test('an image whose links lead out of it is refused', async () => {
  const spec = run('links', '');
  symlinkSync('main.mjs', path.join(spec.rootDir, 'inside'));
  symlinkSync('/etc/hostname', path.join(spec.rootDir, 'leads-out'));
  const state = await runToEnd(shim, spec);
  assert.equal(state.reason, 'ContainerCannotRun');
  assert.equal(
    state.message,
    'the image has a symbolic link that leads out of it: leads-out -> /etc/hostname',
  );
});

test('a path that would grant more than itself is refused', async () => {
  const state = await runToEnd(shim, run('star*', ''));
  assert.match(state.message ?? '', /a path with "\*" would grant more than itself/);
});

test('a pod that abuses its control channel is ended, and the shim goes on', async () => {
  const rssBefore = rssOf(shim.pid);
  const abuses: Record<string, [string, RegExp]> = {
    endless: [
      `const junk = Buffer.alloc(1 << 16, 120);
       setInterval(() => { try { for (;;) fs.writeSync(3, junk); } catch {} }, 1);`,
      /sent an endless message/,
    ],
    flood: [
      `const line = Buffer.from('{"type":"listening","ports":[]}\\n'.repeat(500));
       setInterval(() => { try { for (;;) fs.writeSync(3, line); } catch {} }, 1);`,
      /sent too many messages|sent an endless message|none of ours/,
    ],
    forged: [
      `fs.writeSync(3, '{"type":"start","spec":{}}\\n'); setInterval(() => {}, 1000);`,
      /none of ours/,
    ],
    'wrong-dial': [
      `fs.writeSync(3, '{"type":"dial","id":1,"host":"a b","port":1}\\n'); setInterval(() => {}, 1000);`,
      /none of ours/,
    ],
  };
  for (const [name, [source, expected]] of Object.entries(abuses)) {
    const state = await runToEnd(shim, run(`abuse-${name}`, `import fs from 'node:fs'; ${source}`));
    assert.equal(state.exitCode, 137, name);
    assert.match(state.message ?? '', expected, name);
  }
  assert.ok(rssOf(shim.pid) - rssBefore < 40 * 2 ** 20, 'the shim kept none of it');
  const spec = run('after', `export default { fetch: () => new Response('well') };`);
  await startListening(shim, spec);
  assert.equal((await ask(shim, spec.pod.ip)).text, 'well');
  await shim.stop(spec.id, { graceSeconds: 1 });
});

test('a pod dials only what it may, whatever it asks for', async () => {
  // Written past the library, straight into the channel, and read back past it.
  const source = `
    import fs from 'node:fs';
    import net from 'node:net';
    const emit = process.emit;
    const answers = [];
    process.emit = function (event, message, socket) {
      if (event === 'message' && message.type === 'dialed') {
        answers.push([message.error?.code, Boolean(socket)]);
        return true;
      }
      return Reflect.apply(emit, this, arguments);
    };
    const targets = [['127.0.0.1', 22], ['10.42.0.2', 8080], ['10.42.0.77', 80], ['localhost', 6443]];
    targets.forEach(([host, port], id) => fs.writeSync(3, JSON.stringify({ type: 'dial', id: 1000 + id, host, port }) + '\\n'));
    export default { fetch: () => Response.json(answers) };`;
  const spec = run('dialler', source);
  await startListening(shim, spec);
  const answers = JSON.parse((await ask(shim, spec.pod.ip)).text);
  assert.deepEqual(
    answers,
    Array.from({ length: 4 }, () => ['EEGRESS', false]),
  );
});

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
