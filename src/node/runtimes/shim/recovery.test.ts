import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { isRunning } from '../../../base/is-running.ts';
import { silentLog } from '../../../base/log.ts';
import { until } from '../../../base/until.ts';
import { ask, makeFolder, specOf, startListening, type TestFolder, waitFor } from '../fixture.ts';
import { connectShim, type ShimClient } from './client.ts';
import { shimPaths } from './paths.ts';

function makeTestFolder(t: TestContext): TestFolder {
  const folder = makeFolder();
  t.after(async () => {
    const last = await connectShim({ dataDir: folder.dir, log: silentLog, spawnIfAbsent: false }).catch(
      () => undefined,
    );
    await last?.shutdown({ graceSeconds: 1 });
    folder.remove();
  });
  return folder;
}

const connect = (folder: TestFolder): Promise<ShimClient> =>
  connectShim({ dataDir: folder.dir, log: silentLog, spawnIfAbsent: true });

function echo(
  folder: TestFolder,
  name = 'echo',
  source = `export default { fetch: () => new Response('${name}') };`,
) {
  return specOf(folder, {
    name,
    ip: '10.42.0.2',
    rootDir: folder.image(name, { 'main.mjs': source }),
    entry: 'main.mjs',
  });
}

test('kill -9 of the agent leaves the pods answering, and the next agent finds them and their exits', async (t) => {
  const folder = makeTestFolder(t);
  const spec = echo(folder);
  const failed = { ...echo(folder, 'failed', 'process.exit(4)'), id: 'failed/main/0' };
  const agent = `
    import { connectShim } from ${JSON.stringify(path.join(import.meta.dirname, 'client.ts'))};
    import { silentLog } from ${JSON.stringify(path.join(import.meta.dirname, '../../../base/log.ts'))};
    const shim = await connectShim({ dataDir: ${JSON.stringify(folder.dir)}, log: silentLog, spawnIfAbsent: true });
    await shim.start(${JSON.stringify(spec)});
    await shim.start(${JSON.stringify(failed)});
    console.log('started');`;
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', agent], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');

  const next = await connect(folder);
  const state = await waitFor(next, spec.id, ({ listening }) => listening);
  assert.equal((await ask(next, spec.pod.ip)).text, 'echo');
  assert.equal((await waitFor(next, failed.id, ({ phase }) => phase === 'exited')).exitCode, 4);
  await next.close();
  const third = await connect(folder);
  assert.equal(third.pid, next.pid, 'it is still the same shim');
  assert.equal((await third.list()).find(({ id }) => id === spec.id)?.pid, state.pid, 'and the same pod');
});

test('kill -9 of the shim ends its pods, even one that spins; the next shim starts afresh on the stale sockets', async (t) => {
  const folder = makeTestFolder(t);
  const first = await connect(folder);
  const good = await startListening(first, echo(folder));
  const spinning = { ...echo(folder, 'spin', 'for (;;);'), id: 'spin/main/0' };
  await first.start(spinning);
  const spin = await waitFor(first, spinning.id, ({ pid }) => pid !== undefined);
  const lost = new Promise<void>((resolve) => first.onDisconnect(resolve));
  process.kill(first.pid, 'SIGKILL');
  await lost;
  await assert.rejects(first.list(), /connection to the node's shim was lost/);
  await until('the pod ends', () => !isRunning(good.pid!));
  assert.ok(isRunning(spin.pid!), 'a spinning pod does not notice');

  const second = await connect(folder);
  assert.notEqual(second.pid, first.pid);
  await until('the spinning pod is ended', () => !isRunning(spin.pid!));
  assert.deepEqual(await second.list(), []);
  const again = echo(folder);
  await startListening(second, again);
  assert.equal((await ask(second, again.pod.ip)).text, 'echo');
});

test('agents that race start one shim', async (t) => {
  const folder = makeTestFolder(t);
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(folder)));
  assert.equal(new Set(clients.map(({ pid }) => pid)).size, 1);
  for (const client of clients.slice(1)) await client.close();
});

test('a shim that has nothing to do ends by itself, and leaves no pid behind', async (t) => {
  const folder = makeTestFolder(t);
  const { prepareModules } = await import('./prepared-modules.ts');
  const { shimPath } = await prepareModules(shimPaths(folder.dir).modulesDir);
  const child = spawn(process.execPath, [shimPath, '--data-dir', folder.dir, '--idle-seconds', '0.3'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let client: ShimClient | undefined;
  await until('it answers', async () => {
    client = await connectShim({ dataDir: folder.dir, log: silentLog, spawnIfAbsent: false }).catch(
      () => undefined,
    );
    return client !== undefined;
  });
  const spec = echo(folder);
  await startListening(client!, spec);
  await client!.close();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(child.exitCode, null, 'it stays while it has a pod');
  const again = await connectShim({ dataDir: folder.dir, log: silentLog, spawnIfAbsent: false });
  await again.stop(spec.id, { graceSeconds: 1 });
  await again.close();
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
  assert.deepEqual(readdirSync(shimPaths(folder.dir).pidsDir), []);
});

test('SIGTERM lets the pods finish', async (t) => {
  const folder = makeTestFolder(t);
  const client = await connect(folder);
  const spec = echo(
    folder,
    'slow',
    `
    export default { fetch: async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return new Response('finished');
    } };`,
  );
  const { pid } = await startListening(client, spec);
  const pending = ask(client, spec.pod.ip);
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.kill(client.pid, 'SIGTERM');
  assert.equal((await pending).text, 'finished');
  await until('pod and shim are gone', () => !isRunning(pid!) && !isRunning(client.pid));
});

test('after shutdown the process is gone and the folder can be removed for good', async () => {
  const folder = makeFolder();
  const client = await connect(folder);
  await startListening(client, echo(folder));
  await client.shutdown({ graceSeconds: 1 });
  assert.equal(isRunning(client.pid), false);
  folder.remove();
  assert.equal(existsSync(folder.dir), false);
});

test('only this user can open the control socket, and what comes through it is checked', async (t) => {
  const folder = makeTestFolder(t);
  const client = await connect(folder);
  const paths = shimPaths(folder.dir);
  for (const socket of [paths.control, paths.dial]) assert.equal(statSync(socket).mode & 0o777, 0o600);
  const raw = net.connect(paths.control);
  raw.write(
    '{"id":1,"method":"hello","params":{"version":999}}\n{"id":2,"method":"toString","params":null}\n',
  );
  let text = '';
  raw.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  await until('both are answered', () => text.split('\n').length === 3);
  assert.match(text, /speaks protocol 3, the agent 999; stop the shim \(pid \d+\)/);
  assert.match(text, /the shim has no method \\"toString\\"/);
  raw.destroy();
  assert.deepEqual(await client.list(), []);
});

test('a shim that cannot start says why', async (t) => {
  const folder = makeTestFolder(t);
  writeFileSync(shimPaths(folder.dir).pidsDir, 'a file where a folder must be');
  await assert.rejects(
    connect(folder),
    /the node's shim did not start: it ended with exit code \d+; see .*shim\.log/,
  );
});
