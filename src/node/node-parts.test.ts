import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StatusError } from '../base/errors.ts';
import { builtinImage } from './images/builtin-images.ts';
import { type NodeDescription, nodeStatus } from './node-object.ts';
import { freeAddress } from './pod-addresses.ts';
import { containerSpec } from './pods/container-spec.ts';
import { expand } from './pods/expansion.ts';
import { acceptPod } from './pods/record.ts';
import { NodeState } from './state.ts';
import { podOf } from './testing.ts';
import { writeAtomically } from './volumes/atomic-folder.ts';
import { makeVolumes, mountsOf, type VolumeSources } from './volumes/mount-volumes.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'selvage-node-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('$(NAME) is expanded, $$ escapes, and what is unknown stays', () => {
  const values = { A: '1', B: '$(A)' };
  assert.equal(expand('$(A) $$(A) $(C) $(B) $A', values), '1 $(A) $(C) $(A) $A');
});

test('pods get free addresses in turn, so that one just given back rests', () => {
  const used = new Set(['10.42.0.2']);
  assert.equal(freeAddress('10.42.0.0/24', used), '10.42.0.3');
  assert.equal(freeAddress('10.42.0.0/24', new Set(), '10.42.0.7'), '10.42.0.8');
  assert.equal(freeAddress('10.42.0.0/24', used, '10.42.0.254'), '10.42.0.3');
  assert.equal(freeAddress('10.42.7.0/30', new Set()), '10.42.7.2');
  assert.throws(() => freeAddress('10.42.7.0/30', new Set(['10.42.7.2'])), /no free address/);
  assert.throws(() => freeAddress('10.42.7.0', new Set()), /should be an IPv4 network/);
});

test('a node state survives a restart, and nothing in its file can be read', async (t) => {
  const path = await folder(t);
  const first = new NodeState({ folder: path });
  const record = acceptPod(podOf(), 0);
  first.savePod(record);
  first.saveObject('Secret', 'default/token', { data: { key: 'c2VjcmV0' } });
  first.close();
  const second = new NodeState({ folder: path });
  t.after(() => second.close());
  assert.deepEqual(second.pods(), [JSON.parse(JSON.stringify(record))]);
  assert.deepEqual(second.object('Secret', 'default/token'), { data: { key: 'c2VjcmV0' } });
  for (const name of await readdir(path)) {
    const content = await readFile(join(path, name));
    assert.equal(content.includes('c2VjcmV0'), false, name);
  }
  assert.equal((await stat(join(path, 'state.key'))).mode & 0o777, 0o600);
  second.removePod('u1');
  assert.deepEqual(second.pods(), []);
});

test('a volume changes all at once and drops what is no longer in it', async (t) => {
  const path = join(await folder(t), 'v');
  const file = (name: string, text: string) => ({ path: name, content: Buffer.from(text), mode: 0o644 });
  assert.equal(await writeAtomically(path, [file('a', '1'), file('deep/b', '2')]), true);
  assert.equal(await readFile(join(path, 'deep/b'), 'utf8'), '2');
  assert.equal(await writeAtomically(path, [file('a', '1'), file('deep/b', '2')]), false);
  assert.equal(await writeAtomically(path, [file('a', '3')]), true);
  assert.equal(await readFile(join(path, 'a'), 'utf8'), '3');
  const left = (await readdir(path)).filter((name) => !name.startsWith('..'));
  assert.deepEqual(left, ['a']);
});

function sources(podDir: string, overrides: Partial<VolumeSources> = {}): VolumeSources {
  const missing = async () => {
    throw new StatusError('NotFound', 'configmap "x" not found');
  };
  return {
    record: acceptPod(podOf(), 0),
    node: { name: 'n1', hostIP: '10.0.0.1', cpuCores: 2, memoryBytes: 1 },
    objects: { configMap: missing, secret: missing, claim: missing, persistentVolume: missing },
    volumesFolder: join(podDir, 'volumes'),
    token: async () => undefined,
    caPem: 'CA',
    podDir,
    imageFolder: async () => '/images/model',
    hostPathsAllowed: [],
    ...overrides,
  };
}

test('volumes that would leave their folder or the pod are refused', async (t) => {
  const podDir = await folder(t);
  const make = (volume: object, overrides = {}) =>
    makeVolumes([{ name: 'v', ...volume } as never], sources(podDir, overrides));
  await assert.rejects(make({ hostPath: { path: '/etc' } }), /hostPath \/etc is not allowed on this node/);
  await assert.rejects(
    make({ hostPath: { path: `${podDir}/../../etc` } }, { hostPathsAllowed: [podDir] }),
    /not allowed/,
  );
  await assert.rejects(make({ nfs: { server: 'x', path: '/' } }), /no volumes of type "nfs"/);
  const configMap = async () => ({ data: { key: 'x' } }) as never;
  const items = [{ key: 'key', path: '../../escaped' }];
  const objects = { configMap, secret: configMap };
  await assert.rejects(make({ configMap: { name: 'x', items } }, { objects }), /must be relative/);
  const volumes = new Map([['v', { hostPath: podDir, readOnly: false }]]);
  const container = { name: 'web', volumeMounts: [{ name: 'v', mountPath: '/v', subPath: '../up' }] };
  assert.throws(() => mountsOf(container as never, volumes, {}), /subPath/);
});

test('a missing ConfigMap fails its volume unless it is optional', async (t) => {
  const podDir = await folder(t);
  const volume = (optional: boolean) => [{ name: 'v', configMap: { name: 'x', optional } }];
  const failure = /MountVolume.SetUp failed for volume "v" : configmap "x" not found/;
  await assert.rejects(makeVolumes(volume(false) as never, sources(podDir)), failure);
  const made = await makeVolumes(volume(true) as never, sources(podDir));
  assert.equal(made.get('v')!.readOnly, true);
});

test('a projected volume has the token where there is one, the authority and the namespace', async (t) => {
  const podDir = await folder(t);
  const projected = {
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
    ],
  };
  const made = await makeVolumes([{ name: 'v', projected }] as never, sources(podDir));
  const { hostPath } = made.get('v')!;
  assert.deepEqual((await readdir(hostPath)).filter((name) => !name.startsWith('..')).sort(), [
    'ca.crt',
    'namespace',
  ]);
  const withToken = await makeVolumes(
    [{ name: 'w', projected }] as never,
    sources(podDir, { token: async () => 'abc' }),
  );
  assert.equal(await readFile(join(withToken.get('w')!.hostPath, 'token'), 'utf8'), 'abc');
});

const image = {
  id: 'web@sha256:0',
  rootDir: '/images/web',
  entry: '/app/server.js',
  args: ['--from-image'],
  env: [],
  workingDir: '/images/web/app',
  sizeBytes: 0,
};
function commandOf(container: object, annotations = {}): ReturnType<typeof containerSpec> {
  const spec = { containers: [{ name: 'web', image: 'web:1', ...container }] };
  const record = acceptPod(podOf(spec as never, { annotations }), 0);
  const options = { record, container: record.pod.spec!.containers[0]!, image, env: {}, mounts: [] };
  return containerSpec({ ...options, logPath: '/log', grantsAllowed: [] });
}

test('command and args replace the module and its arguments as with any image', () => {
  assert.deepEqual(commandOf({}).command, ['/images/web/app/server.js', '--from-image']);
  assert.deepEqual(commandOf({ args: ['-x'] }).command, ['/images/web/app/server.js', '-x']);
  assert.deepEqual(commandOf({ command: ['node', '/app/other.ts', '-y'] }).command, [
    '/images/web/app/other.ts',
    '-y',
  ]);
  assert.deepEqual(commandOf({ command: ['/bin/sh', '-c'], args: ['true'] }).command, [
    'selvage:command',
    '/bin/sh',
    '-c',
    'true',
  ]);
  assert.throws(
    () => commandOf({ command: ['/bin/nginx', '-c'] }),
    /is neither a JavaScript or TypeScript module nor one of the commands/,
  );
});

test('a container gets no grants that nobody asks for', () => {
  assert.deepEqual(commandOf({}).grants, { worker: false, addons: false, egress: [] });
});

test('built-in images are modules of this package, with their own grants', async () => {
  const found = builtinImage('selvage.dev/builtin/model-server');
  assert.equal((await stat(join(found.rootDir, found.entry))).isFile(), true);
  assert.deepEqual(found.grants, { worker: true, addons: true });
  assert.throws(() => builtinImage('selvage.dev/builtin/nothing'), /there is no built-in image "nothing"/);
});

test('a node under pressure says so, and its conditions remember since when', () => {
  const description: NodeDescription = {
    name: 'n1',
    zone: '',
    labels: {},
    internalIP: '10.0.0.1',
    kubeletPort: 1,
    version: '0.1.0',
    machineId: 'm',
    podsMax: 110,
    volumesFolder: '/data/volumes',
  };
  const machine = {
    cpuCores: 2,
    memoryBytes: 2 ** 31,
    memoryAvailableBytes: 2 ** 30,
    diskBytes: 2 ** 40,
    diskAvailableBytes: 2 ** 39,
    processesMax: 1000,
    processes: 10,
  };
  const calm = nodeStatus(description, machine, { before: undefined, nowMs: 0 });
  const short = { ...machine, memoryAvailableBytes: 1 };
  const pressed = nodeStatus(description, short, { before: calm, nowMs: 60_000 });
  const find = (status: typeof calm, type: string) => status.conditions!.find((each) => each.type === type)!;
  assert.equal(find(calm, 'MemoryPressure').reason, 'KubeletHasSufficientMemory');
  assert.equal(find(calm, 'MemoryPressure').message, 'kubelet has sufficient memory available');
  assert.equal(find(calm, 'DiskPressure').message, 'kubelet has no disk pressure');
  assert.equal(find(calm, 'PIDPressure').message, 'kubelet has sufficient PID available');
  assert.equal(find(pressed, 'MemoryPressure').status, 'True');
  assert.equal(find(pressed, 'MemoryPressure').reason, 'KubeletHasInsufficientMemory');
  assert.equal(find(pressed, 'MemoryPressure').lastTransitionTime, '1970-01-01T00:01:00Z');
  assert.equal(find(pressed, 'Ready').lastTransitionTime, '1970-01-01T00:00:00Z');
});
