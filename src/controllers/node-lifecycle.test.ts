import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { endpointSlice as endpointSliceKind } from '../api/kinds/endpointSlice.ts';
import { type Lease, lease as leaseKind } from '../api/kinds/lease.ts';
import { type Node, node as nodeKind } from '../api/kinds/node.ts';
import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { FakeClock, toMicroTime, toTime } from '../base/clock.ts';
import { until } from '../base/until.ts';
import { isReady } from '../scheduler/taints.ts';
import { Heartbeats } from './node-lifecycle/heartbeats.ts';
import { silentConditions, taintsFor } from './node-lifecycle/plan.ts';
import { evictionRates, zoneHealth } from './node-lifecycle/zone-health.ts';
import { type Standing, Zones } from './node-lifecycle/zones.ts';
import { evictionMs } from './taint-eviction/plan.ts';
import { find, startTestCluster } from './test-cluster.ts';

const nowMs = Date.parse('2026-01-01T00:10:00Z');
const startTime = '2026-01-01T00:00:00Z';

const nodeWith = (
  ready: 'True' | 'False' | 'Unknown',
  taints: NonNullable<Node['spec']>['taints'] = [],
): Node => ({
  metadata: { name: 'n1', uid: 'n1' },
  spec: { taints },
  status: { conditions: [{ type: 'Ready', status: ready, lastHeartbeatTime: startTime }] },
});

test('taints follow from the conditions, and those of operators stay', () => {
  const mine = { key: 'gpu', effect: 'NoSchedule' as const };
  const keys = (node: Node, evicts = true) =>
    taintsFor(node, { evicts, nowMs })?.map(({ key, effect }) => `${key}:${effect}`);
  assert.equal(keys(nodeWith('True', [mine])), undefined);
  assert.deepEqual(keys(nodeWith('Unknown', [mine])), [
    'gpu:NoSchedule',
    'node.kubernetes.io/unreachable:NoSchedule',
    'node.kubernetes.io/unreachable:NoExecute',
  ]);
  assert.deepEqual(keys(nodeWith('False')), [
    'node.kubernetes.io/not-ready:NoSchedule',
    'node.kubernetes.io/not-ready:NoExecute',
  ]);
  const tainted = nodeWith('Unknown', taintsFor(nodeWith('Unknown', [mine]), { evicts: true, nowMs }));
  assert.equal(keys(tainted), undefined);
  assert.deepEqual(keys({ ...tainted, status: nodeWith('True').status! }), ['gpu:NoSchedule']);
  assert.deepEqual(keys(tainted, false), ['gpu:NoSchedule', 'node.kubernetes.io/unreachable:NoSchedule']);
  assert.deepEqual(keys({ ...nodeWith('True'), spec: { unschedulable: true } }), [
    'node.kubernetes.io/unschedulable:NoSchedule',
  ]);
});

test('a silent node is told as Kubernetes tells it, once', () => {
  const conditions = silentConditions(nodeWith('True'), nowMs)!;
  assert.deepEqual(
    conditions.find(({ type }) => type === 'Ready'),
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: '2026-01-01T00:10:00Z',
      lastHeartbeatTime: startTime,
    },
  );
  assert.equal(silentConditions({ ...nodeWith('True'), status: { conditions } }, nowMs), undefined);
});

test('a pod leaves a tainted node when its toleration ends', () => {
  const taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' as const, timeAdded: startTime };
  const node = nodeWith('Unknown', [taint]);
  const at = (
    tolerations: NonNullable<Pod['spec']>['tolerations'] = [],
    on = node,
    bound: string | undefined = undefined,
  ) => {
    const conditions = [
      { type: 'PodScheduled', status: 'True' as const, ...(bound && { lastTransitionTime: bound }) },
    ];
    const pod: Pod = { spec: { containers: [], tolerations }, status: { conditions } };
    return evictionMs(pod, on, { evictAfterSeconds: 300, startMs: nowMs });
  };
  const startMs = Date.parse(startTime);
  const cases: [string, number, number][] = [
    ['says nothing', at(), startMs + 300_000],
    ['60 s', at([{ key: taint.key, operator: 'Exists', tolerationSeconds: 60 }]), startMs + 60_000],
    ['for ever', at([{ operator: 'Exists' }]), Number.POSITIVE_INFINITY],
    [
      'for ever, said before 60 s',
      at([{ operator: 'Exists' }, { key: taint.key, operator: 'Exists', tolerationSeconds: 60 }]),
      Number.POSITIVE_INFINITY,
    ],
    [
      'bound after the node was tainted',
      at([{ operator: 'Exists', tolerationSeconds: 60 }], node, toTime(startMs + 3_600_000)),
      startMs + 3_660_000,
    ],
    [
      'another taint',
      at([], nodeWith('True', [{ key: 'maintenance', effect: 'NoExecute' }])),
      Number.NEGATIVE_INFINITY,
    ],
    [
      'a taint without a time',
      at(
        [{ operator: 'Exists', tolerationSeconds: 60 }],
        nodeWith('True', [{ key: 'maintenance', effect: 'NoExecute' }]),
      ),
      nowMs + 60_000,
    ],
    ['no taint', at([], nodeWith('True')), Number.POSITIVE_INFINITY],
  ];
  for (const [name, actual, expected] of cases) assert.equal(actual, expected, name);
});

test('a zone is unwell when more than two and 55 % of its nodes are not ready, and down when all are', () => {
  const cases: [number, number, string][] = [
    [0, 1, 'fullDisruption'],
    [2, 1, 'normal'],
    [1, 2, 'normal'],
    [0, 3, 'fullDisruption'],
    [5, 5, 'normal'],
    [4, 6, 'partialDisruption'],
    [0, 0, 'normal'],
  ];
  for (const [ready, notReady, expected] of cases)
    assert.equal(zoneHealth({ ready, notReady }), expected, `${ready} ready, ${notReady} not`);
  assert.equal(evictionRates.partialDisruption(50), 0);
  assert.equal(evictionRates.partialDisruption(51), 0.01);
});

test('one node of a zone loses its pods every ten seconds, none while the zone is unwell', async () => {
  const clock = new FakeClock();
  const zones = new Zones(clock);
  const put = (name: string, zone: string, standing: Standing) =>
    zones.observe({ metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } } }, standing);
  for (let n = 0; n < 10; n++) put(`a${n}`, 'a', n < 3 ? 'notReady' : 'ready');
  put('b0', 'b', 'notReady');
  assert.equal(zones.takeTurn('a0'), 0);
  assert.equal(zones.takeTurn('a1'), 10_000);
  assert.equal(zones.takeTurn('b0'), 0, 'each zone has its own turns');
  await clock.advance(10_000);
  assert.equal(zones.takeTurn('a1'), 0);
  for (const n of [3, 4, 5]) put(`a${n}`, 'a', 'notReady');
  await clock.advance(60_000);
  assert.equal(zones.takeTurn('a2'), Number.POSITIVE_INFINITY);
  assert.equal(zones.areAllDown, false);
  for (let n = 0; n < 10; n++) put(`a${n}`, 'a', 'notReady');
  assert.equal(zones.areAllDown, true);
  put('c0', 'c', 'unheard');
  assert.equal(zones.areAllDown, true, 'a node that never spoke is no sign of life');
  put('b0', 'b', 'ready');
  assert.equal(zones.areAllDown, false);
  zones.forget('b0');
  assert.equal(zones.areAllDown, true);
});

test('a renewal ends the silence, the controller writing Unknown does not, and a pause of our own is none', async () => {
  const clock = new FakeClock();
  const heartbeats = new Heartbeats(clock);
  const lease = (renewTime: string): Lease => ({ spec: { renewTime } });
  heartbeats.observe('n1', lease('1'), nodeWith('True'));
  await clock.advance(30_000);
  assert.equal(heartbeats.silenceMs('n1'), 30_000);
  heartbeats.observe('n1', lease('1'), nodeWith('Unknown'));
  assert.equal(heartbeats.silenceMs('n1'), 30_000);
  heartbeats.observe('n1', lease('2'), nodeWith('Unknown'));
  assert.equal(heartbeats.silenceMs('n1'), 0);
  await clock.advance(40_000);
  assert.equal(heartbeats.noticeStall(clock.nowMs()), false);
  assert.equal(heartbeats.noticeStall(clock.nowMs() - 60_000), true);
  assert.equal(heartbeats.silenceMs('n1'), 0);
});

test('a node that falls silent loses its traffic at once and its pods in the end, and comes back', async () => {
  const cluster = await startTestCluster({
    nodes: ['n1', 'n2', 'n3'],
    nodeGraceSeconds: 1,
    evictAfterSeconds: 1,
  });
  const { client } = cluster;
  let isRenewing = true;
  const beat = setInterval(() => {
    for (const name of isRenewing ? ['n1', 'n2', 'n3'] : ['n1', 'n2']) void renew(name);
  }, 200);
  const renew = async (name: string) => {
    const spec = { holderIdentity: name, renewTime: toMicroTime(Date.now()) };
    const key = { namespace: 'kube-node-lease', name };
    await client
      .patch(leaseKind, key, { type: 'merge', body: { spec } })
      .catch(() => client.create(leaseKind, { metadata: key, spec }))
      .catch(() => {});
  };
  try {
    const labels = { app: 'web' };
    await client.create(deploymentKind, {
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 3,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'app:1' }] } },
      },
    });
    await client.create(serviceKind, {
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: labels, ports: [{ port: 80 }] },
    });
    const readyNodes = async () => {
      const { items } = await client.list(endpointSliceKind, {
        labelSelector: 'kubernetes.io/service-name=web',
      });
      const endpoints = items.flatMap((slice) => slice.endpoints);
      return endpoints.filter(({ conditions }) => conditions?.ready).map(({ nodeName }) => nodeName);
    };
    await until('an endpoint on each node', async () => new Set(await readyNodes()).size === 3);

    cluster.dead.add('n3');
    isRenewing = false;
    await until('no traffic to the dead node', async () => {
      const nodes = await readyNodes();
      return nodes.length > 0 && !nodes.includes('n3');
    });
    const dead = (await find(client, nodeKind, 'n3'))!;
    assert.equal(isReady(dead), false);
    await until('its pod runs elsewhere', async () => (await readyNodes()).length === 3);
    assert.ok(!(await readyNodes()).includes('n3'));
    const { items } = await client.list(podKind, { fieldSelector: 'spec.nodeName=n3' });
    assert.ok(
      items.every(({ metadata }) => metadata?.deletionTimestamp),
      'its pods wait for it, Terminating',
    );

    cluster.dead.delete('n3');
    isRenewing = true;
    await renew('n3');
    const status = { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }] };
    await client.patch(
      nodeKind,
      { name: 'n3' },
      { type: 'strategic', body: { status } },
      { subresource: 'status' },
    );
    await until('no taints', async () => (await find(client, nodeKind, 'n3'))?.spec?.taints?.length === 0);
  } finally {
    clearInterval(beat);
    await cluster.close();
  }
});
