// What a person meets who gets something wrong: a clear error, and nothing lost or left behind.
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, kubectlMinor, missing, openShell } from './shell.ts';

const skip = missing('kubectl');

test('a port in use is refused with its number and what to do, and the data folder is free again', async (t) => {
  const shell = openShell(t);
  const other = net.createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as net.AddressInfo;
  const output = await shell.run(`selvage up --port ${port}`, { code: 1 });
  assert.match(output, new RegExp(`^selvage: .*127\\.0\\.0\\.1:${port} .*in use.*--port`, 'm'));
  assert.doesNotMatch(output, /\n\s+at /);
  await shell.start('selvage up --port 0').until(/API ready/);
});

test('a data folder that another server uses is refused with the folder and its process', async (t) => {
  const shell = openShell(t);
  const first = shell.start('selvage up --port 0');
  await first.until(/API ready/);
  const output = await shell.run('selvage up --port 0', { code: 1 });
  assert.match(output, new RegExp(`^selvage: .*${join(shell.home, '.selvage')}.*${first.process.pid}`, 'm'));
  assert.doesNotMatch(output, /\n\s+at /);
});

test('a data folder that cannot be written to is refused with what to do', async (t) => {
  const shell = openShell(t);
  writeFileSync(join(shell.home, 'file'), '');
  const output = await shell.run(`selvage up --port 0 --data-dir ${shell.home}/file/x`, { code: 1 });
  assert.match(output, /^selvage: cannot write to the data folder .*\/file\/x: ENOTDIR.*--data-dir/m);
  assert.doesNotMatch(output, /\n\s+at /);
  assert.match(await shell.run('selvage up --port 99999', { code: 1 }), /'99999' is invalid.*at most 65535/);
});

test("root and an ordinary user stay out of each other's data folders", {
  skip: process.getuid?.() !== 0 && 'needs root, to be two users',
}, async (t) => {
  const shell = openShell(t, { ordinaryUser: true });
  await shell.run(`selvage build examples/my-app -t my-app:1.0.0`);
  const asRoot = openShell(t);
  const dataDir = join(shell.home, '.selvage');
  const refused = await asRoot.run(`selvage up --port 0 --data-dir ${dataDir}`, { code: 1 });
  assert.match(
    refused,
    /^selvage: the data folder .* belongs to user 65534, and this runs as user 0; .*--data-dir/m,
  );
  await shell.start('selvage up --port 0').until(/API ready/);
  // sudo that keeps $HOME: kubectl's configuration gets the new context and stays its user's.
  const kubeconfig = join(shell.home, '.kube', 'config');
  await asRoot.start(`selvage up --port 0 --kubeconfig ${kubeconfig}`).until(/API ready/);
  assert.equal(statSync(kubeconfig).uid, 65534);
});

test('manifests, images and files that are wrong get errors that say what is wrong', {
  skip,
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const file = (name: string, text: string) => {
    writeFileSync(join(shell.home, name), text);
    return join(shell.home, name);
  };
  await shell.start('selvage up --port 0').until(/API ready/);

  const malformed = file('malformed.yaml', 'apiVersion: v1\nkind: [ConfigMap\n');
  assert.match(await shell.run(`kubectl create -f ${malformed}`, { code: 1 }), /error (parsing|converting)/);
  const noImage = file(
    'no-image.yaml',
    'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n',
  );
  assert.match(
    await shell.run(`kubectl create -f ${noImage}`, { code: 1 }),
    /spec\.containers\[0\]\.image: Required value/,
  );
  const unknown = file(
    'unknown.yaml',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndatta: {a: b}\n',
  );
  assert.match(await shell.run(`kubectl create -f ${unknown}`, { code: 1 }), /unknown field "datta"/);
  const told = await shell.run(
    `kubectl create --validate=${kubectlMinor < 25 ? 'false' : 'warn'} -f ${unknown}`,
  );
  if (kubectlMinor >= 25) assert.match(told, /Warning: .*unknown field "datta"/);
  assert.match(await shell.run('kubectl get configmap c'), /^c\s+0/m);

  await shell.run('kubectl create deployment ghost --image=ghost:1.0.0');
  await eventually(async () => assert.match(await shell.run('kubectl get pods'), /ImagePullBackOff/), 30_000);
  const events = await shell.run('kubectl get events');
  assert.match(events, /Failed to pull image "ghost:1\.0\.0": .*(manifest unknown|not found)/i);
  assert.match(events, /Back-off pulling image "ghost:1\.0\.0"/);
  assert.match(events, /ErrImagePull/);

  assert.match(
    await shell.run(`selvage build ${join(shell.home, 'nowhere')} -t x:1`, { code: 1 }),
    /^selvage: .*nowhere/m,
  );
  assert.match(await shell.run(`selvage build ${shell.home} -t 'X Y'`, { code: 1 }), /^selvage: .*"X Y"/m);
  assert.match(
    await shell.run('selvage push nothing:1', { code: 1 }),
    /^selvage: "nothing:1" is not in .*selvage build/m,
  );
  assert.match(
    await shell.run('selvage agent --server https://127.0.0.1:1 --name n', { code: 1 }),
    /^selvage: the data folder .* is that of node "local": start it with --name local/m,
  );
  const agent = `selvage agent --data-dir ${join(shell.home, 'agent')}`;
  assert.match(
    await shell.run(`${agent} --server https://127.0.0.1:1 --name n --token wrong`, { code: 1 }),
    /^selvage: .*not a join token/m,
  );
  assert.match(
    await shell.run(`${agent} --server 127.0.0.1:1 --name n --token wrong`, { code: 1 }),
    /such as https:\/\/192\.0\.2\.10:6443\.\n\(see selvage agent --help\)/,
  );
  assert.match(await shell.run('selvage fly', { code: 1 }), /unknown command 'fly'/);
});
