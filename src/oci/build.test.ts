import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { buildImage } from './build.ts';
import type { ContentStore } from './content-store.ts';
import { contextFilesMax, listFiles } from './context-files.ts';
import { isIsolate, isolateEntry, readImage } from './image.ts';
import { temporaryFolder, temporaryStore } from './testing.ts';
import { unpackImage } from './unpack.ts';

async function folderOf(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

/** The paths in an image's layers, as the system's own tar lists them. */
async function listed(store: ContentStore, digest: string): Promise<string[]> {
  return execFileSync('tar', ['-tzf', store.path(digest)], { encoding: 'utf8' })
    .trim()
    .split('\n');
}

async function build(t: TestContext, files: Record<string, string>, options = {}) {
  const store = await temporaryStore(t);
  const contextDir = await folderOf(t, files);
  const built = await buildImage({ contextDir, store, tag: 'app:1', ...options });
  return { store, contextDir, built, ...(await readImage(store, 'app:1')) };
}

const dockerfile = (text: string, files: Record<string, string> = {}) => ({ Dockerfile: text, ...files });

test('a folder with a module becomes an isolate that says how to run it', async (t) => {
  const { store, built, config } = await build(t, {
    'package.json': JSON.stringify({ selvage: { entry: './src/server.ts', port: 8080, env: { A: '1' } } }),
    'src/server.ts': 'export default {}',
  });
  assert.equal(isIsolate(config), true);
  assert.equal(isolateEntry(config), '/app/src/server.ts');
  assert.deepEqual(config.config, {
    ExposedPorts: { '8080/tcp': {} },
    Env: ['NODE_ENV=production', 'A=1'],
    Entrypoint: ['node', '/app/src/server.ts'],
    WorkingDir: '/app',
    Labels: { 'dev.selvage.entry': '/app/src/server.ts', 'dev.selvage.runtime': 'isolate' },
  });
  assert.equal(config.created, '1970-01-01T00:00:00Z');
  assert.deepEqual(await listed(store, built.layers[0]!.digest), [
    'app/',
    'app/package.json',
    'app/src/',
    'app/src/server.ts',
  ]);
});

test('the same input gives the same digest, whatever its times, modes and place', async (t) => {
  const files = { 'index.ts': 'export default {}', 'lib/z.ts': 'z', 'lib/a.ts': 'a', 'bin/run': 'x' };
  const first = await build(t, files);
  const second = await folderOf(t, Object.fromEntries(Object.entries(files).reverse()));
  await utimes(join(second, 'index.ts'), 1, 1);
  await chmod(join(second, 'index.ts'), 0o600);
  await chmod(join(second, 'lib'), 0o700);
  const again = await buildImage({ contextDir: second, store: first.store, tag: ['b:1', 'c'] });
  assert.equal(again.digest, first.built.digest);
  assert.deepEqual(again.references, ['b:1', 'c:latest']);
  await writeFile(join(second, 'index.ts'), 'export default 1');
  const changed = await buildImage({ contextDir: second, store: first.store, tag: 'b:1' });
  assert.notEqual(changed.digest, first.built.digest);
});

test('a layer names no owner, time or operating system', async (t) => {
  const { store, built } = await build(t, { 'index.js': '1' });
  const bytes = await readFile(store.path(built.layers[0]!.digest));
  assert.equal(bytes.readUInt32LE(4), 0, 'gzip time');
  assert.equal(bytes[9], 255, 'gzip system');
  const tar = gunzipSync(bytes);
  assert.equal(tar.toString('latin1', 136, 147), '00000000000', 'tar time');
  assert.equal(tar.toString('latin1', 108, 114), '000000', 'tar owner');
});

test('packages get a layer of their own, which a changed module leaves as it is', async (t) => {
  const { store, contextDir, built } = await build(t, { 'index.ts': '1', 'node_modules/x/index.js': 'x' });
  await writeFile(join(contextDir, 'index.ts'), '2');
  const again = await buildImage({ contextDir, store, tag: 'app:2' });
  assert.equal(built.layers.length, 2);
  assert.equal(again.layers[0]!.digest, built.layers[0]!.digest);
  assert.notEqual(again.layers[1]!.digest, built.layers[1]!.digest);
});

test('the entry is what package.json says, else a usual name', async (t) => {
  const entryOf = async (files: Record<string, string>) => isolateEntry((await build(t, files)).config);
  const pack = (content: unknown) => ({
    'package.json': JSON.stringify(content),
    'a.js': '',
    'index.js': '',
  });
  assert.equal(await entryOf(pack({ main: './a.js' })), '/app/a.js');
  assert.equal(await entryOf(pack({ exports: './a.js', main: 'index.js' })), '/app/a.js');
  assert.equal(await entryOf(pack({ exports: { '.': { import: './a.js' } } })), '/app/a.js');
  assert.equal(await entryOf(pack({})), '/app/index.js');
  assert.equal(await entryOf({ 'server.ts': '' }), '/app/server.ts');
});

test('a context that cannot run is refused with what to do', async (t) => {
  const refused: [Record<string, string>, RegExp][] = [
    [{ 'readme.md': '' }, /neither a Dockerfile nor a module.*"entry": "src\/server.ts"/],
    [{ 'package.json': '{' }, /package.json is not valid JSON/],
    [{ 'package.json': '{"main":"gone.js"}' }, /main is "gone.js", but there is no such file/],
    [{ 'package.json': '{"selvage":{"entry":"../x.js"}}' }, /no such file/],
    [{ 'index.js': '', 'package.json': '{"selvage":{"port":"80"}}' }, /port is "80", expected a number/],
    [
      { 'index.js': '', '.dockerignore': 'index.js', 'package.json': '{"main":"index.js"}' },
      /\.dockerignore\?/,
    ],
  ];
  for (const [files, message] of refused) await assert.rejects(build(t, files), message);
  await assert.rejects(build(t, { 'index.js': '' }, { tag: 'A:1' }), /must be lower case/);
  await assert.rejects(build(t, { 'index.js': '' }, { contextDir: '/nowhere/at/all' }), /is not a folder/);
});

test('a link out of the context is refused, one within it is kept', async (t) => {
  const store = await temporaryStore(t);
  const contextDir = await folderOf(t, { 'index.js': '', 'lib/a.js': '' });
  await symlink('lib/a.js', join(contextDir, 'inside.js'));
  const { layers } = await buildImage({ contextDir, store, tag: 'app' });
  assert.ok((await listed(store, layers[0]!.digest)).includes('app/inside.js'));
  await symlink('../../etc/passwd', join(contextDir, 'outside'));
  await assert.rejects(buildImage({ contextDir, store, tag: 'app' }), /outside the build context/);
});

test('ignore files are honoured and .git never enters', async (t) => {
  const { store, built } = await build(t, {
    'index.js': '',
    '.git/config': '',
    '.dockerignore': '# notes\n*.md\n!keep.md\nsecret\n**/*.log\n',
    'a.md': '',
    'keep.md': '',
    'secret/key': '',
    'deep/er/x.log': '',
    'deep/er/x.txt': '',
  });
  const files = (await listed(store, built.layers[0]!.digest)).filter((path) => !path.endsWith('/'));
  assert.deepEqual(files, ['app/deep/er/x.txt', 'app/index.js', 'app/keep.md']);
});

test('long and non-ASCII names survive', async (t) => {
  const long = `${'d'.repeat(90)}/${'f'.repeat(120)}.js`;
  const { store, contextDir, descriptor, manifest, config } = await build(t, {
    'index.js': '',
    [long]: 'long',
    'grüße.txt': 'hi',
  });
  assert.ok(contextDir);
  const folder = await temporaryFolder(t);
  const root = await unpackImage(store, { descriptor, manifest, config }, { folder, use: 'isolate' });
  assert.equal(await readFile(join(root, 'app', long), 'utf8'), 'long');
  assert.equal(await readFile(join(root, 'app/grüße.txt'), 'utf8'), 'hi');
});

test('a failed build leaves the tag as it was and no temporary files', async (t) => {
  const { store, contextDir, built } = await build(t, { 'index.js': '' });
  await writeFile(join(contextDir, 'Dockerfile'), 'FROM scratch\nCOPY index.js /x\nRUN make\n');
  await assert.rejects(buildImage({ contextDir, store, tag: 'app:1' }), /line 3: RUN is not supported/);
  assert.equal((await store.resolve('app:1'))?.digest, built.digest);
  assert.deepEqual(await readdir(store.temporary), []);
});

test('a Dockerfile sets every part of the configuration', async (t) => {
  const { config } = await build(
    t,
    dockerfile(
      [
        'ARG BASE=scratch',
        `FROM \${BASE}`,
        'ARG VERSION=1.0',
        'ENV GREETING="hello world" NAME=x \\',
        '  # between',
        '  PATHS=/a:$NAME',
        'ENV OLD form of it $NAME',
        `LABEL version=\${VERSION} "quoted key"='$NAME'`,
        'WORKDIR /srv',
        'WORKDIR app',
        'USER 1000:1000',
        'EXPOSE 80 53/udp',
        'VOLUME ["/data"]',
        'STOPSIGNAL SIGTERM',
        'ENTRYPOINT ["/bin/app", "--flag"]',
        'CMD serve $NAME',
      ].join('\n'),
    ),
    { buildArgs: { VERSION: '2.0' }, platform: { os: 'linux', architecture: 'arm64' } },
  );
  assert.equal(config.architecture, 'arm64');
  assert.deepEqual(config.config, {
    Env: ['GREETING=hello world', 'NAME=x', 'PATHS=/a:', 'OLD=form of it x'],
    Labels: { version: '2.0', 'quoted key': '$NAME' },
    WorkingDir: '/srv/app',
    User: '1000:1000',
    ExposedPorts: { '80/tcp': {}, '53/udp': {} },
    Volumes: { '/data': {} },
    StopSignal: 'SIGTERM',
    Entrypoint: ['/bin/app', '--flag'],
    Cmd: ['/bin/sh', '-c', 'serve $NAME'],
  });
});

test('COPY places files as Docker does', async (t) => {
  const { store, manifest } = await build(
    t,
    dockerfile(
      [
        'FROM scratch',
        'COPY a.txt /file',
        'COPY a.txt /folder/',
        'COPY a.txt b.txt /both/',
        'COPY src /src',
        'COPY *.txt /matched/',
        'WORKDIR /work',
        'COPY a.txt .',
        'COPY a.txt /work',
        'COPY --chown=5:6 --chmod=600 a.txt /owned',
      ].join('\n'),
      { 'a.txt': 'a', 'b.txt': 'b', 'src/x/y.ts': 'y' },
    ),
  );
  const all = await Promise.all(manifest.layers.map((layer) => listed(store, layer.digest)));
  assert.deepEqual(all, [
    ['file'],
    ['folder/a.txt'],
    ['both/a.txt', 'both/b.txt'],
    ['src/', 'src/x/', 'src/x/y.ts'],
    ['matched/a.txt', 'matched/b.txt'],
    ['work/a.txt'],
    ['work/a.txt'],
    ['owned'],
  ]);
  const tar = gunzipSync(await readFile(store.path(manifest.layers.at(-1)!.digest)));
  assert.equal(tar.toString('latin1', 100, 106), '000600');
  assert.deepEqual(
    [tar.toString('latin1', 108, 114), tar.toString('latin1', 116, 122)],
    ['000005', '000006'],
  );
});

test('stages hand files on, and a stored image serves as base', async (t) => {
  const { store, contextDir } = await build(
    t,
    dockerfile(
      'FROM scratch AS one\nCOPY a.txt /deep/a.txt\nENV A=1\nFROM scratch\nCOPY --from=one /deep /got\n',
      {
        'a.txt': 'a',
      },
    ),
  );
  const first = await readImage(store, 'app:1');
  assert.deepEqual(await listed(store, first.manifest.layers[0]!.digest), ['got/', 'got/a.txt']);
  await writeFile(
    join(contextDir, 'Dockerfile'),
    'FROM app:1\nENV B=2\nCOPY a.txt /got\nCOPY --from=app:1 /got/a.txt /b\n',
  );
  await buildImage({ contextDir, store, tag: 'app:2' });
  const second = await readImage(store, 'app:2');
  assert.equal(second.manifest.layers[0]!.digest, first.manifest.layers[0]!.digest);
  assert.deepEqual(
    await listed(store, second.manifest.layers[1]!.digest),
    ['got/a.txt'],
    'got is a folder in app:1',
  );
  assert.deepEqual(second.config.config?.Env, ['B=2']);
  assert.equal(second.config.rootfs.diff_ids.length, 3);
});

test('a base image that is not here is asked for, or the error says so', async (t) => {
  const files = dockerfile('FROM base:9\n', {});
  await assert.rejects(build(t, files), /line 1: image base:9 is not in the local store/);
  const asked: string[] = [];
  const pullBase = async (reference: string) => {
    asked.push(reference);
    throw new Error('no route');
  };
  await assert.rejects(build(t, files, { pullBase }), /line 1: no route/);
  assert.deepEqual(asked, ['base:9']);
});

test('FROM selvage/isolate makes an isolate of what ENTRYPOINT names', async (t) => {
  const { config } = await build(
    t,
    dockerfile('FROM selvage/isolate\nCOPY . .\nENTRYPOINT ["node", "src/main.ts"]\n', { 'src/main.ts': '' }),
  );
  assert.equal(isIsolate(config), true);
  assert.equal(isolateEntry(config), '/app/src/main.ts');
  await assert.rejects(build(t, dockerfile('FROM selvage/isolate\nCOPY . .\n')), /add ENTRYPOINT/);
  const plain = await build(t, dockerfile('FROM scratch\nCMD ["/x"]\n'));
  assert.equal(isIsolate(plain.config), false);
});

test('what a Dockerfile asks and we cannot do is an error that names the line', async (t) => {
  const refused: [string, RegExp][] = [
    ['', /has no FROM/],
    ['COPY a b', /line 1: COPY comes before/],
    ['FROM scratch\nFLY away', /line 2: unknown instruction FLY/],
    ['FROM scratch\nCOPY gone /', /line 2: gone is not in the build context/],
    ['FROM scratch\nCOPY ../../etc/passwd /', /line 2: .* is not in the build context/],
    ['FROM scratch\nADD https://example.com/x /', /ADD from a network address/],
    ['FROM scratch\nADD x.tar.gz /', /does not unpack archives/],
    ['FROM scratch\nCOPY <<EOF /x\nhi\nEOF', /here-documents/],
    ['FROM scratch\nENV A="x', /line 2: a " is never closed/],
    ['FROM scratch\nEXPOSE 70000', /a port from 1 to 65535/],
    ['FROM scratch\nCOPY --chown=web Dockerfile /', /give numbers/],
    ['FROM scratch as', /expected FROM/],
  ];
  for (const [text, message] of refused) await assert.rejects(build(t, dockerfile(text)), message, text);
});

test('SOURCE_DATE_EPOCH, given as an option, dates the image', async (t) => {
  const { config } = await build(t, { 'index.js': '' }, { createdSeconds: 86_400 });
  assert.equal(config.created, '1970-01-02T00:00:00Z');
  await assert.rejects(build(t, { 'index.js': '' }, { createdSeconds: -1 }), /SOURCE_DATE_EPOCH/);
});

test('a context of too many files is refused, with what to do', async (t) => {
  const folder = await folderOf(t, { a: '', b: '', c: '' });
  await assert.rejects(listFiles(folder, { filesMax: 2 }), /more than 2 files; is it the right folder/);
  assert.equal((await listFiles(folder, { filesMax: 3 })).length, 3);
  assert.ok(contextFilesMax >= 100_000);
});
