import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { configMap } from '../api/kinds/configMap.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { lease as leaseKind } from '../api/kinds/lease.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { secret } from '../api/kinds/secret.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { modelReferenceAnnotation, modelVolumeAnnotation } from '../api/model-annotations.ts';
import { systemClock } from '../base/clock.ts';
import { until } from '../base/until.ts';
import type { Fetch } from '../oci/registry-client.ts';
import { lastWordsMs } from './agent.ts';
import { imagesOf } from './pods/record.ts';
import { refreshMs } from './pods/volume-refresh.ts';
import { startTestCluster, type TestCluster } from './testing-cluster.ts';

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
const waitingReason = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting?.reason;

async function reasons(cluster: TestCluster, name = 'web'): Promise<string[]> {
  const events = await cluster.admin.list(eventKind, { namespace: 'default' });
  // The kind's type is what the server sends.
  const all = events.items as unknown as {
    involvedObject: { name: string };
    reason: string;
    message: string;
  }[];
  return all
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map((e) => `${e.reason}: ${e.message}`);
}

test('a node registers itself and renews its lease', async (t) => {
  const cluster = await startTestCluster(t);
  const agent = await cluster.startNode({ zone: 'edge-a', labels: { disk: 'ssd' } });
  const node = await until('the node is ready', async () => {
    const found = await cluster.admin.get(nodeKind, { name: 'n1' });
    return (
      found.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') && found
    );
  });
  assert.equal(node.metadata!.labels!['topology.kubernetes.io/zone'], 'edge-a');
  assert.equal(node.metadata!.labels!.disk, 'ssd');
  assert.equal(node.status!.daemonEndpoints!.kubeletEndpoint!.Port, agent.kubeletPort);
  assert.ok(Number(node.status!.capacity!.cpu) >= 1);
  const lease = await until('there is a lease', () =>
    cluster.admin.get(leaseKind, { namespace: 'kube-node-lease', name: 'n1' }).catch(() => undefined),
  );
  assert.equal(lease.spec!.holderIdentity, 'n1');
  assert.equal(lease.spec!.leaseDurationSeconds, 40);
});

test('what other nodes report is not sent to a node', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.startNode();
  const report = async (name: string, heartbeat: string) => {
    const condition = { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: heartbeat };
    const body = { status: { conditions: [condition] } };
    await cluster.admin.patch(nodeKind, { name }, { type: 'merge', body }, { subresource: 'status' });
  };
  await cluster.admin.create(nodeKind, { metadata: { name: 'n2' } } as never);
  for (const time of ['2026-01-01T00:00:00Z', '2026-01-01T00:05:00Z']) await report('n2', time);
  await cluster.admin.patch(
    nodeKind,
    { name: 'n1' },
    { type: 'merge', body: { metadata: { labels: { seen: 'yes' } } } },
  );
  const nodes = () => cluster.received.filter(({ object }) => object.kind === 'Node');
  await until('the node hears of its own label', async () =>
    nodes().some(({ object }) => object.metadata?.labels?.seen === 'yes'),
  );
  const others = nodes().filter(({ type, object }) => type !== 'BOOKMARK' && object.metadata?.name !== 'n1');
  assert.deepEqual(others, []);
});

test('a node without pods starts no shim', async (t) => {
  const cluster = await startTestCluster(t);
  let spawned = false;
  await cluster.startNode({
    connectShim: async ({ spawnIfAbsent }) => {
      if (!spawnIfAbsent) throw new Error('there is no shim');
      spawned = true;
      return cluster.shim.connect();
    },
  });
  await until('the lease is there', () =>
    cluster.admin.get(leaseKind, { namespace: 'kube-node-lease', name: 'n1' }).catch(() => undefined),
  );
  assert.equal(spawned, false);
});

test('a pod is pulled, started and becomes ready, with an address, an identity and events', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  await cluster.startNode();
  const created = await cluster.createPod({});
  const pod = await cluster.podWhen('it is ready', isReady);
  assert.equal(pod.status!.phase, 'Running');
  assert.equal(pod.status!.podIP, '10.42.0.2');
  assert.match(pod.status!.containerStatuses![0]!.imageID, /^web@sha256:[0-9a-f]{64}$/);
  const spec = cluster.shim.specs.get(`${created.metadata!.uid}/web/0`)!;
  assert.match(spec.command[0]!, /\/app\/server\.js$/);
  assert.match(await readFile(spec.command[0]!, 'utf8'), /hello/);
  await until('the events are there', async () => (await reasons(cluster)).length >= 4);
  const told = await reasons(cluster);
  for (const reason of ['Pulling', 'Pulled', 'Created', 'Started']) {
    assert.ok(
      told.some((each) => each.startsWith(reason)),
      `${reason} in ${told}`,
    );
  }
  const identity = await until('it has an identity', () =>
    cluster.shim.identities.get(created.metadata!.uid!),
  );
  assert.match(identity.certificate, /BEGIN CERTIFICATE/);
  const { conditions = [] } = (await cluster.pod())!.status!;
  const stale = conditions.filter(({ status, message, reason }) => status === 'True' && (message || reason));
  assert.deepEqual(stale, [], 'what is true needs no excuse any more');
});

test('the image of a volume is in use as that of a container is, also after a restart of the agent', async (t) => {
  const cluster = await startTestCluster(t);
  for (const tag of ['web:1', 'model:1']) await cluster.build(tag);
  const agent = await cluster.startNode();
  await cluster.createPod({ volumes: [{ name: 'model', image: { reference: 'model:1' } }] });
  await cluster.podWhen('it is ready', isReady);
  const used = () => agent.pods().flatMap(imagesOf).sort();
  assert.deepEqual(
    used().map((id) => id.replace(/@sha256:[0-9a-f]{64}$/, '')),
    ['model', 'web'],
  );
  const before = used();
  await agent.stop();
  const next = await cluster.startNode();
  assert.deepEqual(next.pods().flatMap(imagesOf).sort(), before);
});

test('a running pod that is told of another model shows it in place, also where its agent was away', async (t) => {
  const cluster = await startTestCluster(t);
  for (const tag of ['web:1', 'model:1', 'model:2']) await cluster.build(tag, `export default '${tag}';`);
  const agent = await cluster.startNode();
  const annotations = { [modelVolumeAnnotation]: 'model' };
  const created = await cluster.createPod(
    {
      volumes: [{ name: 'model', image: { reference: 'model:1' } }],
      containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'model', mountPath: '/m' }] }],
    },
    { annotations },
  );
  await cluster.podWhen('it is ready', isReady);
  const spec = cluster.shim.specs.get(`${created.metadata!.uid}/web/0`)!;
  const folder = spec.mounts.find(({ mountPath }) => mountPath === '/m')!.hostPath;
  const shown = () => readFile(join(folder, 'app/server.js'), 'utf8');
  assert.match(await shown(), /model:1/);
  const tell = (reference: string) => {
    const body = { metadata: { annotations: { [modelReferenceAnnotation]: reference } } };
    return cluster.admin.patch(podKind, { namespace: 'default', name: 'web' }, { type: 'merge', body });
  };
  await tell('model:3');
  await until('it is told that there is none', async () =>
    (await reasons(cluster)).some((each) => /^FailedModelSwap: Model model:3 is not shown/.test(each)),
  );
  assert.match(await shown(), /model:1/);
  await tell('model:2');
  await until('the other model is shown', async () => /model:2/.test(await shown()));
  await until('it is told', async () =>
    (await reasons(cluster)).includes('ModelSwapped: Showing model model:2 in place'),
  );
  assert.equal(cluster.shim.starts, 1, 'nothing was started anew');
  await cluster.build('model:4', `export default 'model:4';`);
  await agent.stop();
  await tell('model:4');
  await cluster.startNode();
  await until('an agent that was away shows it', async () => /model:4/.test(await shown()));
  assert.equal(cluster.shim.starts, 1);
});

test('a pod sees its ConfigMap, Secret, downward API and volumes', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const metadata = { name: 'settings', namespace: 'default' };
  await cluster.admin.create(configMap, { metadata, data: { mode: 'fast', 'app.conf': 'x=1' } } as never);
  await cluster.admin.create(secret, {
    metadata,
    data: { key: Buffer.from('s3cret').toString('base64') },
  } as never);
  await cluster.startNode();
  const created = await cluster.createPod({
    volumes: [
      {
        name: 'config',
        configMap: { name: 'settings', items: [{ key: 'app.conf', path: 'conf/app.conf' }] },
      },
      { name: 'scratch', emptyDir: {} },
      { name: 'about', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
    ],
    containers: [
      {
        name: 'web',
        image: 'web:1',
        args: ['--mode=$(MODE)', '$$(MODE)', '$(UNKNOWN)'],
        env: [
          { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } },
          { name: 'KEY', valueFrom: { secretKeyRef: { name: 'settings', key: 'key' } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          { name: 'URL', value: 'http://$(IP)/' },
        ],
        envFrom: [{ prefix: 'CFG_', configMapRef: { name: 'settings' } }],
        resources: { limits: { memory: '64Mi' } },
        volumeMounts: [
          { name: 'config', mountPath: '/etc/app' },
          { name: 'scratch', mountPath: '/tmp/work' },
          { name: 'about', mountPath: '/about' },
        ],
      },
    ],
  });
  await cluster.podWhen('it is ready', isReady);
  const spec = cluster.shim.specs.get(`${created.metadata!.uid}/web/0`)!;
  const { MODE, KEY, IP, MEMORY, URL, CFG_mode } = spec.env;
  assert.deepEqual(
    { MODE, KEY, IP, MEMORY, URL, CFG_mode },
    {
      MODE: 'fast',
      KEY: 's3cret',
      IP: '10.42.0.2',
      MEMORY: '64',
      URL: 'http://10.42.0.2/',
      CFG_mode: 'fast',
    },
  );
  assert.deepEqual(spec.command.slice(1), ['--mode=fast', '$(MODE)', '$(UNKNOWN)']);
  assert.equal(spec.memoryLimitBytes, 64 * 1024 * 1024);
  const at = (mountPath: string) => spec.mounts.find((mount) => mount.mountPath === mountPath)!;
  assert.equal(await readFile(join(at('/etc/app').hostPath, 'conf/app.conf'), 'utf8'), 'x=1');
  assert.equal(at('/etc/app').readOnly, true);
  assert.equal(await readFile(join(at('/about').hostPath, 'name'), 'utf8'), 'web');
  assert.equal((await stat(at('/tmp/work').hostPath)).isDirectory(), true);
  const state = await readFile(join(cluster.dataDir, 'state.sqlite'));
  assert.equal(state.includes('s3cret'), false, 'the Secret must not lie on disk in the clear');
});

test('a change of a ConfigMap reaches the volumes of running pods', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const metadata = { name: 'settings', namespace: 'default' };
  await cluster.admin.create(configMap, { metadata, data: { mode: 'slow' } } as never);
  const timers: (() => void)[] = [];
  const clock = {
    ...systemClock,
    after: (delayMs: number, action: () => void) => {
      if (delayMs !== refreshMs) return systemClock.after(delayMs, action);
      timers.push(action);
      return () => {};
    },
  };
  await cluster.startNode({ clock });
  const created = await cluster.createPod({
    volumes: [{ name: 'config', configMap: { name: 'settings' } }],
    containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] }],
  });
  await cluster.podWhen('it is ready', isReady);
  const { hostPath } = cluster.shim.specs.get(`${created.metadata!.uid}/web/0`)!.mounts[0]!;
  assert.equal(await readFile(join(hostPath, 'mode'), 'utf8'), 'slow');
  const body = { data: { mode: 'fast' } };
  await cluster.admin.patch(configMap, metadata, { type: 'merge', body });
  timers.pop()!();
  await until('the file changes', async () => (await readFile(join(hostPath, 'mode'), 'utf8')) === 'fast');
  assert.equal(cluster.shim.starts, 1);
});

test('a kubelet port that is in use is told, and nothing is left running', async (t) => {
  const cluster = await startTestCluster(t);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const kubelet = { host: '127.0.0.1', port };
  await assert.rejects(cluster.startNode({ kubelet }), /the port is in use; choose another/);
  await cluster.startNode();
});

test('an image volume without its image is ErrImagePull too, and the container says why', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  await cluster.startNode();
  await cluster.createPod({
    volumes: [{ name: 'model', image: { reference: 'models/none:1' } }],
    containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'model', mountPath: '/m' }] }],
  });
  const failing = await cluster.podWhen('ErrImagePull shows', (pod) => waitingReason(pod) === 'ErrImagePull');
  const { message } = failing.status!.containerStatuses![0]!.state!.waiting!;
  assert.match(message!, /failed for volume "model" : manifest unknown: .* has no models\/none:1/);
});

test('an image that does not exist is ErrImagePull, then ImagePullBackOff, with events that say why', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.startNode();
  await cluster.createPod({ containers: [{ name: 'web', image: 'missing:9' }] });
  const failing = await cluster.podWhen('ErrImagePull shows', (pod) => waitingReason(pod) === 'ErrImagePull');
  assert.match(failing.status!.containerStatuses![0]!.state!.waiting!.message!, /manifest unknown/);
  await cluster.podWhen('ImagePullBackOff shows', (pod) => waitingReason(pod) === 'ImagePullBackOff');
  await until('the back-off is told', async () =>
    (await reasons(cluster)).some((each) => each.startsWith('BackOff')),
  );
  const told = await reasons(cluster);
  assert.ok(
    told.some((each) => /^Failed: Failed to pull image "missing:9": .*manifest unknown/.test(each)),
    `${told}`,
  );
});

test('a missing ConfigMap holds the container until it is there', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  await cluster.startNode();
  const envFrom = [{ configMapRef: { name: 'late' } }];
  await cluster.createPod({ containers: [{ name: 'web', image: 'web:1', envFrom }] });
  const held = await cluster.podWhen(
    'it is held',
    (pod) => waitingReason(pod) === 'CreateContainerConfigError',
  );
  assert.equal(held.status!.containerStatuses![0]!.state!.waiting!.message, 'configmap "late" not found');
});

test('a deleted pod is stopped, given back and then gone', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const agent = await cluster.startNode();
  const { metadata } = await cluster.createPod({ terminationGracePeriodSeconds: 7 });
  await cluster.podWhen('it is ready', isReady);
  await cluster.admin.delete(podKind, { namespace: 'default', name: 'web' });
  await until('it is gone', async () => (await cluster.pod()) === undefined);
  assert.deepEqual(cluster.shim.stops, [{ id: `${metadata!.uid}/web/0`, graceSeconds: 7 }]);
  await until('the node forgot it', () => agent.pods().length === 0);
  await assert.rejects(stat(join(cluster.dataDir, 'pods', metadata!.uid!)), { code: 'ENOENT' });
  assert.equal(cluster.shim.states.size, 0);
});

test('a crashing container is restarted, and its ends are shown', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  cluster.shim.onStart = (shim, id) => {
    shim.run(id);
    shim.exit(id, 3);
  };
  await cluster.startNode();
  await cluster.createPod({});
  const pod = await cluster.podWhen('it backs off', (each) => waitingReason(each) === 'CrashLoopBackOff');
  assert.equal(pod.status!.containerStatuses![0]!.restartCount, 1);
  assert.equal(pod.status!.containerStatuses![0]!.lastState!.terminated!.exitCode, 3);
  assert.equal(cluster.shim.starts, 2);
});

test('a container that fails its liveness probe is restarted even if it exits cleanly', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  cluster.shim.onStop = (shim, id) => shim.exit(id, 0);
  await cluster.startNode();
  const livenessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 1 };
  await cluster.createPod({
    restartPolicy: 'OnFailure',
    containers: [{ name: 'web', image: 'web:1', livenessProbe }],
  });
  const restarted = (pod: Pod) => (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0;
  await cluster.podWhen('it was restarted', restarted);
  const told = await until('it is told', async () => {
    const all = await reasons(cluster);
    return all.some((each) => each.startsWith('Killing')) && all;
  });
  assert.ok(told.includes('Killing: Container web failed liveness probe, will be restarted'), `${told}`);
});

test('readiness follows an HTTP probe through the runtime', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  let code = 503;
  const program = createServer((_, response) => response.writeHead(code).end());
  await new Promise<void>((resolve) => program.listen(0, '127.0.0.1', resolve));
  t.after(() => program.close());
  cluster.shim.ports.set('10.42.0.2:8080', (program.address() as AddressInfo).port);
  await cluster.startNode();
  const readinessProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 };
  await cluster.createPod({ containers: [{ name: 'web', image: 'web:1', readinessProbe }] });
  const running = await cluster.podWhen('it runs', ({ status }) => status?.phase === 'Running');
  assert.equal(isReady(running), false);
  code = 200;
  await cluster.podWhen('it is ready', isReady);
});

test('an agent that comes back takes up its pods without touching them', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const first = await cluster.startNode();
  await cluster.createPod({});
  const before = await cluster.podWhen('it is ready', isReady);
  await first.stop();
  assert.equal(cluster.shim.states.size, 1, 'stopping the agent stops no pod');
  const second = await cluster.startNode();
  await second.hasSynced();
  await until('the pod is known', () => second.pods().length === 1);
  await cluster.createPod({}, { name: 'other' });
  await cluster.podWhen('the agent works', isReady, 'other');
  const after = await cluster.pod();
  assert.equal(cluster.shim.starts, 2, 'one start a pod');
  assert.deepEqual(after!.status, before.status);
  assert.equal(
    after!.metadata!.resourceVersion,
    before.metadata!.resourceVersion,
    'nothing was written anew',
  );
});

test('after a reboot without a link all pods come back', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const metadata = { name: 'settings', namespace: 'default' };
  await cluster.admin.create(configMap, { metadata, data: { mode: 'fast' } } as never);
  const first = await cluster.startNode();
  const envFrom = [{ configMapRef: { name: 'settings' } }];
  const created = await cluster.createPod({ containers: [{ name: 'web', image: 'web:1', envFrom }] });
  await cluster.podWhen('it is ready', isReady);
  await first.stop();
  cluster.shim.states.clear();
  cluster.shim.identities.clear();
  cluster.setReachable(false);
  const second = await cluster.startNode();
  const id = `${created.metadata!.uid}/web/1`;
  await until('it runs again', () => cluster.shim.states.get(id)?.phase === 'running');
  assert.equal(cluster.shim.specs.get(id)!.env.mode, 'fast');
  assert.equal(cluster.shim.specs.get(id)!.pod.ip, '10.42.0.2');
  await until('it has its identity', () => cluster.shim.identities.has(created.metadata!.uid!));
  assert.equal(second.pods()[0]!.status!.phase, 'Running');
  cluster.setReachable(true);
  await cluster.podWhen(
    'the restart is reported',
    (pod) => pod.status?.containerStatuses?.[0]?.restartCount === 1,
  );
});

test('losing the API server stops no pod, and what was deleted meanwhile ends on reconnect', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const first = await cluster.startNode();
  await cluster.createPod({});
  await cluster.createPod({}, { name: 'stays' });
  await cluster.podWhen('it is ready', isReady);
  await cluster.podWhen('the other is ready', isReady, 'stays');
  cluster.setReachable(false);
  await first.stop();
  await cluster.admin.delete(podKind, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 0 });
  const second = await cluster.startNode();
  await until('both pods are taken up', () => second.pods().length === 2);
  assert.equal(cluster.shim.stops.length, 0);
  cluster.setReachable(true);
  await until('the deleted one ends', () => second.pods().length === 1);
  assert.equal(second.pods()[0]!.name, 'stays');
  assert.equal(cluster.shim.stops.length, 1);
});

test('when the shim dies its pods start again', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  await cluster.startNode();
  const { metadata } = await cluster.createPod({});
  await cluster.podWhen('it is ready', isReady);
  cluster.shim.die();
  await until('it runs again', () => cluster.shim.states.get(`${metadata!.uid}/web/1`)?.phase === 'running');
  await cluster.podWhen('it is ready again', (pod) => isReady(pod) && restartsOf(pod) === 1);
});

const restartsOf = (pod: Pod) => pod.status!.containerStatuses![0]!.restartCount;

test('a container of a pod that nobody knows is removed', async (t) => {
  const cluster = await startTestCluster(t);
  const startedAtMs = Date.now();
  cluster.shim.states.set('gone/web/0', { id: 'gone/web/0', phase: 'running', listening: true, startedAtMs });
  await cluster.startNode();
  await until('it is removed', () => !cluster.shim.states.has('gone/web/0'));
});

test('an agent that lost its own state adopts what runs', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const { metadata } = await cluster.createPod({});
  const id = `${metadata!.uid}/web/4`;
  cluster.shim.states.set(id, { id, phase: 'running', listening: true, startedAtMs: Date.now() });
  await cluster.startNode();
  const pod = await cluster.podWhen('it is ready', isReady);
  assert.equal(restartsOf(pod), 4);
  assert.equal(cluster.shim.starts, 0);
});

test('a LoadBalancer Service gets a listener, and the address that was really taken', async (t) => {
  const cluster = await startTestCluster(t);
  const first = await cluster.startNode();
  const annotations = {
    'selvage.dev/load-balancer-node': 'n1',
    'selvage.dev/load-balancer-ip': '127.42.0.1',
  };
  await cluster.admin.create(serviceKind, {
    metadata: { name: 'my-app', namespace: 'default', annotations },
    spec: { type: 'LoadBalancer', selector: { app: 'x' }, ports: [{ port: 80 }] },
  } as never);
  const service = await until('it has an address', async () => {
    const found = await cluster.admin.get(serviceKind, { namespace: 'default', name: 'my-app' });
    return found.status?.loadBalancer?.ingress?.length ? found : undefined;
  });
  assert.equal(service.status!.loadBalancer!.ingress![0]!.ip, '127.42.0.1');
  assert.equal(service.metadata!.annotations!['selvage.dev/load-balancer-address'], '127.42.0.1:8080');
  await until('it is told', async () => (await reasons(cluster, 'my-app')).length > 0);
  assert.match((await reasons(cluster, 'my-app'))[0]!, /^PortUnavailable: 127.42.0.1:80 could not be bound/);
  await until('the routes are there', () =>
    cluster.shim.routes?.routes.some(({ name }) => name === 'my-app'),
  );

  cluster.setReachable(false);
  cluster.shim.listeners = [];
  cluster.shim.routes = undefined;
  cluster.shim.die();
  await until('they are back though no server answers', () => cluster.shim.listeners.length > 0);
  await first.stop();
  cluster.shim.listeners = [];
  cluster.shim.routes = undefined;
  await cluster.startNode();
  await until('so they are after a reboot', () => cluster.shim.listeners.length > 0 && cluster.shim.routes);
});

test('the kubelet API answers administrators with logs, pods and metrics, and nobody else', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const agent = await cluster.startNode();
  const { metadata } = await cluster.createPod({});
  await cluster.podWhen('it is ready', isReady);
  const { logPath } = cluster.shim.specs.get(`${metadata!.uid}/web/0`)!;
  await import('node:fs/promises').then(({ writeFile }) =>
    writeFile(logPath, '2026-01-01T00:00:00.000000000Z stdout F hello\n'),
  );
  const issue = (organization: string) =>
    cluster.authority.issue({
      commonName: 'someone',
      organizations: [organization],
      usages: ['client'],
      lifetimeSeconds: 60,
    });
  const get = (path: string, organization = 'system:masters') => {
    const { certificatePem, privateKeyPem } = issue(organization);
    return new Promise<{ code: number; body: string }>((resolve, reject) => {
      const sent = request({
        host: '127.0.0.1',
        port: agent.kubeletPort,
        path,
        ca: cluster.authority.caPem,
        cert: certificatePem,
        key: privateKeyPem,
        agent: false,
      });
      sent.on('error', reject);
      sent.on('response', async (answer) => resolve({ code: answer.statusCode!, body: await text(answer) }));
      sent.end();
    });
  };
  await until('the certificate is there', () => get('/healthz').catch(() => undefined));
  assert.deepEqual(await get('/healthz'), { code: 200, body: 'ok' });
  assert.deepEqual(await get('/containerLogs/default/web/web'), { code: 200, body: 'hello\n' });
  assert.equal((await get('/containerLogs/default/web/other')).code, 400);
  assert.equal((await get('/containerLogs/default/nothing/web')).code, 404);
  assert.match((await get('/metrics')).body, /kubelet_running_pods 1/);
  assert.equal(JSON.parse((await get('/pods')).body).items[0].metadata.name, 'web');
  assert.equal(
    JSON.parse((await get('/stats/summary')).body).pods[0].containers[0].memory.workingSetBytes,
    1,
  );
  assert.equal((await get('/pods', 'system:nodes')).code, 403);
});

test('a pod that asks to leave its sandbox is refused with an event, unless the node allows it', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const first = await cluster.startNode();
  const metadata = { annotations: { 'selvage.dev/grants': 'addons' } };
  await cluster.createPod({}, metadata);
  await cluster.podWhen('it is refused', (pod) => waitingReason(pod) === 'CreateContainerError');
  await until('an event tells why', async () =>
    (await reasons(cluster)).some((each) => /^Failed: Error: .*"addons".*--allow-addons/.test(each)),
  );
  const builtin = { name: 'web', image: 'selvage.dev/builtin/model-server', command: ['node', '/x.js'] };
  await cluster.createPod({ containers: [builtin] }, { name: 'posing' });
  await cluster.podWhen('it is refused', (pod) => waitingReason(pod) === 'CreateContainerError', 'posing');
  assert.equal(cluster.shim.starts, 0);

  await first.stop();
  await cluster.startNode({ grantsAllowed: ['addons'] });
  await cluster.createPod({}, { ...metadata, name: 'allowed' });
  await cluster.podWhen('it is ready', isReady, 'allowed');
});

test('an agent stops at once, whatever it waits for: a pull, a long grace period, a server that is stuck', async (t) => {
  const cluster = await startTestCluster(t);
  await cluster.build('web:1');
  const waits = { pulls: 0, pullsEnded: 0, stops: 0 };
  const fetch: Fetch = (url, init) => {
    if (!url.includes('slow')) return globalThis.fetch(url, init);
    waits.pulls++;
    return new Promise((_, reject) => {
      init.signal!.addEventListener('abort', () => {
        waits.pullsEnded++;
        reject(init.signal!.reason);
      });
    });
  };
  const agent = await cluster.startNode({
    registry: { ...cluster.registry, fetch },
    connectShim: async () =>
      Object.assign(await cluster.shim.connect(), {
        stop: () => {
          waits.stops++;
          return new Promise<void>(() => {});
        },
      }),
  });
  await cluster.createPod({ terminationGracePeriodSeconds: 600 });
  await cluster.podWhen('it is ready', isReady);
  await cluster.createPod({ containers: [{ name: 'web', image: 'slow:1' }] }, { name: 'pulling' });
  await cluster.admin.delete(podKind, { namespace: 'default', name: 'web' });
  await until('both wait', () => waits.pulls === 1 && waits.stops === 1);
  cluster.stall();
  await cluster.createPod({}, { name: 'late' });

  const beginMs = performance.now();
  await agent.stop();
  const tookMs = performance.now() - beginMs;
  assert.ok(tookMs < lastWordsMs + 2_000, `it took ${tookMs} ms`);
  assert.equal(waits.pullsEnded, 1);
});
