import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';

import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import { startControlPlane } from '../src/cli/control-plane.ts';
import { dataDir } from '../src/cli/data-dir.ts';
import { openTokens } from '../src/identity/tokens.ts';
import { packModel } from '../src/oci/artifact.ts';
import { buildImage } from '../src/oci/build.ts';
import { readImage } from '../src/oci/image.ts';
import { exportLayout, importLayout } from '../src/oci/layout.ts';
import { serveRegistry, temporaryFolder, temporaryStore } from '../src/oci/testing.ts';

const run = promisify(execFile);

const isMissing = await run('skopeo', ['--version']).then(
  () => false,
  () => true,
);
// In CI a missing tool must fail the tests below rather than skip them.
const skip =
  isMissing && process.env.CI !== 'true' ? 'skopeo is not installed (Debian package skopeo)' : false;

/** Runs skopeo without a signature policy file, which a machine may not have, and without anyone's logins. */
async function skopeo(t: TestContext, ...args: string[]): Promise<string> {
  const home = await temporaryFolder(t);
  const env = {
    ...process.env,
    HOME: home,
    XDG_RUNTIME_DIR: home,
    REGISTRY_AUTH_FILE: join(home, 'auth.json'),
  };
  const { stdout } = await run('skopeo', ['--insecure-policy', '--tmpdir', home, ...args], { env });
  return stdout;
}

/** A store with an isolate image `my-app:1.0.0` of two layers. */
async function builtStore(t: TestContext) {
  const store = await temporaryStore(t);
  const contextDir = await temporaryFolder(t);
  await writeFile(join(contextDir, 'index.ts'), 'export default { fetch: () => new Response("hi") };');
  await mkdir(join(contextDir, 'node_modules/dep'), { recursive: true });
  await writeFile(join(contextDir, 'node_modules/dep/index.js'), 'x'.repeat(200_000));
  const built = await buildImage({ contextDir, store, tag: 'my-app:1.0.0' });
  return { store, built };
}

test('skopeo copies an image from our layout to our registry and back, with one digest', {
  skip,
}, async (t) => {
  const { store, built } = await builtStore(t);
  const folder = await temporaryFolder(t);
  await exportLayout(store, 'my-app:1.0.0', join(folder, 'out'));
  const registryStore = await temporaryStore(t);
  const { host } = await serveRegistry(t, { store: registryStore });
  const remote = `docker://${host}/team/my-app:1.0.0`;

  await skopeo(t, 'copy', '--dest-tls-verify=false', `oci:${join(folder, 'out')}:1.0.0`, remote);
  assert.equal((await registryStore.resolve('team/my-app:1.0.0'))?.digest, built.digest);
  await skopeo(t, 'copy', '--src-tls-verify=false', remote, `oci:${join(folder, 'back')}:1.0.0`);
  const index = JSON.parse(await readFile(join(folder, 'back/index.json'), 'utf8'));
  assert.equal(index.manifests[0].digest, built.digest);

  const returned = await temporaryStore(t);
  await importLayout(returned, join(folder, 'back'), 'my-app:1.0.0');
  const { config } = await readImage(returned, 'my-app:1.0.0');
  assert.deepEqual(config.config?.Entrypoint, ['node', '/app/index.ts']);
});

test('skopeo signs in to the API server with a token and copies there and back over TLS', {
  skip,
}, async (t) => {
  const { store, built } = await builtStore(t);
  const folder = await temporaryFolder(t);
  await exportLayout(store, 'my-app:1.0.0', join(folder, 'out'));
  const home = dataDir(join(folder, 'selvage'));
  const administrators = { name: 'ci', user: 'ci', groups: ['system:masters', 'system:authenticated'] };
  const token = openTokens(join(home.server, 'tokens')).create(administrators);
  const controlPlane = await startControlPlane({
    dataDir: home,
    host: '127.0.0.1',
    port: 0,
    names: [],
    evictAfterSeconds: 300,
    clock: systemClock,
    log: silentLog,
  });
  t.after(() => controlPlane.stop());
  const certificates = join(folder, 'certificates');
  await mkdir(certificates);
  await writeFile(join(certificates, 'ca.crt'), controlPlane.authority.caPem);
  const remote = `docker://127.0.0.1:${controlPlane.port}/team/my-app:1.0.0`;
  const [local, back] = [`oci:${join(folder, 'out')}:1.0.0`, `oci:${join(folder, 'back')}:1.0.0`];

  await skopeo(t, 'copy', `--dest-creds=any:${token}`, '--dest-cert-dir', certificates, local, remote);
  await skopeo(t, 'copy', `--src-creds=any:${token}`, '--src-cert-dir', certificates, remote, back);
  const index = JSON.parse(await readFile(join(folder, 'back/index.json'), 'utf8'));
  assert.equal(index.manifests[0].digest, built.digest);
  const wrong = skopeo(t, 'copy', '--src-creds=any:wrong', '--src-cert-dir', certificates, remote, back);
  await assert.rejects(wrong, /unauthorized|authentication required|401/i);
});

test('skopeo inspects and lists what we built', { skip }, async (t) => {
  const { store, built } = await builtStore(t);
  const { host } = await serveRegistry(t, { store });
  const inspected = JSON.parse(
    await skopeo(t, 'inspect', '--tls-verify=false', `docker://${host}/my-app:1.0.0`),
  );
  assert.equal(inspected.Digest, built.digest);
  assert.equal(inspected.Labels['dev.selvage.runtime'], 'isolate');
  assert.deepEqual(
    inspected.Layers,
    built.layers.map((layer) => layer.digest),
  );
  const listed = JSON.parse(await skopeo(t, 'list-tags', '--tls-verify=false', `docker://${host}/my-app`));
  assert.deepEqual(listed.Tags, ['1.0.0']);
});

test('skopeo converts to the Docker format on its way in, and we serve that too', { skip }, async (t) => {
  const { store } = await builtStore(t);
  const { host } = await serveRegistry(t, { store });
  const [from, to] = [`docker://${host}/my-app:1.0.0`, `docker://${host}/my-app:docker`];
  await skopeo(t, 'copy', '--src-tls-verify=false', '--dest-tls-verify=false', '--format=v2s2', from, to);
  const { descriptor, config } = await readImage(store, 'my-app:docker');
  assert.equal(descriptor.mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
  assert.equal(config.config?.WorkingDir, '/app');
});

test('skopeo copies between repositories by mounting, and deletes', { skip }, async (t) => {
  const { store, built } = await builtStore(t);
  const { host } = await serveRegistry(t, { store });
  const tls = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  await skopeo(t, 'copy', ...tls, `docker://${host}/my-app:1.0.0`, `docker://${host}/other/app:2`);
  assert.equal((await store.resolve('other/app:2'))?.digest, built.digest);
  await skopeo(t, 'delete', '--tls-verify=false', `docker://${host}/other/app:2`);
  assert.equal(await store.resolve('other/app:2'), undefined);
  assert.equal((await store.resolve('my-app:1.0.0'))?.digest, built.digest);
});

test('skopeo carries a model artifact unchanged', { skip }, async (t) => {
  const store = await temporaryStore(t);
  const model = {
    graph: Buffer.alloc(10_000, 'f'),
    weights: Buffer.alloc(20_000, 1),
    config: { name: 'cifar10' },
  };
  const { digest } = await packModel({ store, reference: 'models/cifar10:1', ...model });
  const { host } = await serveRegistry(t, { store });
  const folder = join(await temporaryFolder(t), 'layout');
  await skopeo(t, 'copy', '--src-tls-verify=false', `docker://${host}/models/cifar10:1`, `oci:${folder}:1`);
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
  assert.equal(index.manifests[0].digest, digest);
});
