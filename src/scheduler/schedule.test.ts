import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api/kinds/pod.ts';
import type { Service } from '../api/kinds/service.ts';
import type { PodSpec } from '../api/parts/podSpec.ts';
import { feasibleEnough } from './schedule.ts';
import { cluster, hostname, node, place, pod, zone } from './testing.ts';

test('without nodes it says so', () => {
  assert.equal(place(cluster([]), pod('a')), 'no nodes available to schedule pods');
});

test('the message counts the nodes for each reason, in the words of kube-scheduler', () => {
  const state = cluster([
    node('small-1', { allocatable: { cpu: '100m', memory: '1Mi' } }),
    node('small-2', { allocatable: { cpu: '100m' } }),
    node('other', { labels: { disk: 'hdd' } }),
    node('cordoned', { spec: { unschedulable: true } }),
    node('tainted', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } }),
    node('dead', { ready: false }),
    node('full', { allocatable: { pods: '0' } }),
  ]);
  const options = { requests: { cpu: '250m', memory: '64Mi' }, spec: {} };
  const message = place(state, pod('a', options));
  assert.equal(message, 'other');
  options.spec = { nodeSelector: { disk: 'ssd' } };
  assert.equal(
    place(state, pod('a', options)),
    '0/7 nodes are available: 1 node(s) had untolerated taint {gpu: yes}, ' +
      '1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) were unschedulable, ' +
      "4 node(s) didn't match Pod's node affinity/selector. " +
      'preemption: 0/7 nodes are available: 7 Preemption is not helpful for scheduling.',
  );
  const small = cluster([
    node('small-1', { allocatable: { cpu: '100m', memory: '1Mi' } }),
    node('small-2', { allocatable: { cpu: '100m' } }),
    node('full', { allocatable: { pods: '0' } }),
  ]);
  assert.equal(
    place(small, pod('a', { requests: { cpu: '250m', memory: '64Mi' } })),
    '0/3 nodes are available: 1 Insufficient memory, 1 Too many pods, 2 Insufficient cpu. ' +
      'preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.',
  );
});

test('pods that are being bound count before their binding has come back', () => {
  const state = cluster([node('n1', { allocatable: { cpu: '1' } })]);
  assert.equal(place(state, pod('a', { requests: { cpu: '700m' } })), 'n1');
  state.assume(pod('a', { requests: { cpu: '700m' } }), 'n1');
  assert.equal(
    place(state, pod('b', { requests: { cpu: '700m' } })),
    '0/1 nodes are available: 1 Insufficient cpu. ' +
      'preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  );
  state.removePod('default/a');
  assert.equal(place(state, pod('b', { requests: { cpu: '700m' } })), 'n1');
});

test('a pod that has ended holds nothing, and ten times 100m fit into one core', () => {
  const state = cluster([node('n1', { allocatable: { cpu: '1' } })]);
  for (let i = 0; i < 9; i++) state.assume(pod(`p${i}`, { requests: { cpu: '100m' } }), 'n1');
  assert.equal(place(state, pod('tenth', { requests: { cpu: '100m' } })), 'n1');
  const ended = pod('ended', { requests: { cpu: '1' }, spec: { nodeName: 'n1' } });
  state.putPod({ ...ended, status: { phase: 'Succeeded' } });
  assert.equal(place(state, pod('tenth', { requests: { cpu: '100m' } })), 'n1');
});

test('init containers count by their largest step, sidecars beside everything', () => {
  const state = cluster([node('n1', { allocatable: { cpu: '1' } })]);
  const container = (name: string, cpu: string, restartPolicy?: 'Always') => ({
    name,
    image: 'app:1',
    resources: { requests: { cpu } },
    ...(restartPolicy && { restartPolicy }),
  });
  const spec = (sidecarCpu: string) => ({
    containers: [container('main', '500m')],
    initContainers: [container('sidecar', sidecarCpu, 'Always'), container('step', '600m')],
  });
  assert.equal(place(state, pod('a', { spec: spec('400m') })), 'n1');
  assert.match(place(state, pod('a', { spec: spec('450m') })), /Insufficient cpu/);
});

test('tolerations open tainted nodes, and a wrong value does not', () => {
  const state = cluster([
    node('n1', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } }),
  ]);
  const tolerating = (toleration: object) => pod('a', { spec: { tolerations: [toleration] } });
  assert.equal(place(state, tolerating({ key: 'gpu', operator: 'Exists' })), 'n1');
  assert.equal(place(state, tolerating({ key: 'gpu', value: 'yes', effect: 'NoSchedule' })), 'n1');
  assert.equal(place(state, tolerating({ operator: 'Exists' })), 'n1');
  assert.match(place(state, tolerating({ key: 'gpu', value: 'no' })), /untolerated taint/);
  assert.match(
    place(state, tolerating({ key: 'gpu', value: 'yes', effect: 'NoExecute' })),
    /untolerated taint/,
  );
});

test('required node affinity reads expressions, numbers and the node name', () => {
  const state = cluster([node('n1', { labels: { cores: '4' } }), node('n2', { labels: { cores: '16' } })]);
  const requiring = (term: object) =>
    pod('a', {
      spec: {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
        },
      },
    });
  assert.equal(
    place(state, requiring({ matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['8'] }] })),
    'n2',
  );
  assert.equal(
    place(state, requiring({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] })),
    'n1',
  );
  assert.match(place(state, requiring({})), /2 node\(s\) didn't match Pod's node affinity\/selector/);
});

test('a host port is given once a node', () => {
  const withPort = (name: string, hostIP?: string) =>
    pod(name, {
      spec: {
        containers: [
          { name: 'main', ports: [{ containerPort: 80, hostPort: 8080, ...(hostIP && { hostIP }) }] },
        ],
      },
    });
  const state = cluster([node('n1')], [[withPort('a', '127.0.0.1'), 'n1']]);
  assert.equal(place(state, withPort('b', '127.0.0.2')), 'n1');
  assert.match(place(state, withPort('b')), /didn't have free ports/);
});

test('DoNotSchedule keeps the zones within maxSkew', () => {
  const nodes = [
    node('a1', { labels: { [zone]: 'a' } }),
    node('b1', { labels: { [zone]: 'b' }, allocatable: { cpu: '100m' } }),
    node('unzoned'),
  ];
  const labels = { app: 'web' };
  const spec: Partial<PodSpec> = {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: zone,
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: labels },
      },
    ],
  };
  const requests = { cpu: '500m' };
  assert.equal(place(cluster(nodes), pod('w1', { labels, spec, requests })), 'a1');
  assert.equal(
    place(cluster(nodes, [[pod('w1', { labels }), 'a1']]), pod('w2', { labels, spec, requests })),
    "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints, " +
      "1 node(s) didn't match pod topology spread constraints (missing required label). " +
      'preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, ' +
      '2 No preemption victims found for incoming pod.',
  );
});

test('pod anti-affinity holds both ways and affinity lets the first pod in', () => {
  const nodes = [node('n1'), node('n2')];
  const term = { topologyKey: hostname, labelSelector: { matchLabels: { app: 'web' } } };
  const required = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
  const labels = { app: 'web' };
  const repelling = (name: string) =>
    pod(name, { labels, spec: { affinity: { podAntiAffinity: required } } });
  const both: [Pod, string][] = [
    [repelling('w1'), 'n1'],
    [repelling('w2'), 'n2'],
  ];
  assert.equal(place(cluster(nodes, both.slice(0, 1)), repelling('w2')), 'n2');
  assert.match(place(cluster(nodes, both), repelling('w3')), /didn't match pod anti-affinity rules/);
  assert.match(
    place(cluster(nodes, both), pod('w3', { labels })),
    /satisfy existing pods anti-affinity rules/,
  );
  const attracted = pod('x', { labels, spec: { affinity: { podAffinity: required } } });
  assert.equal(place(cluster(nodes), attracted), 'n1');
  assert.equal(place(cluster(nodes, [[pod('w1', { labels }), 'n2']]), attracted), 'n2');
  const lonely = pod('x', { spec: { affinity: { podAffinity: required } } });
  assert.match(place(cluster(nodes), lonely), /didn't match pod affinity rules/);
});

test('pods of one Service spread over zones first, then over nodes', () => {
  const nodes = ['a1', 'a2', 'b1', 'b2'].map((name) => node(name, { labels: { [zone]: name[0]! } }));
  const service: Service = {
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  };
  const state = cluster(nodes, [], { services: [service] });
  const chosen: string[] = [];
  for (let i = 0; i < 4; i++) {
    const each = pod(`web-${i}`, { labels: { app: 'web' } });
    const name = place(state, each);
    chosen.push(name);
    state.assume(each, name);
  }
  assert.deepEqual(chosen, ['a1', 'b1', 'a2', 'b2']);
});

test('preferred affinity, soft taints and a present image decide between equals', () => {
  const preferring = pod('a', {
    spec: {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 10,
              preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] },
            },
          ],
        },
      },
    },
  });
  assert.equal(place(cluster([node('n1'), node('n2', { labels: { disk: 'ssd' } })]), preferring), 'n2');
  const taint = { key: 'old', effect: 'PreferNoSchedule' as const };
  assert.equal(place(cluster([node('n1', { spec: { taints: [taint] } }), node('n2')]), pod('a')), 'n2');
  const images = [{ name: 'app:1', sizeBytes: 500 * 1024 * 1024 }];
  assert.equal(place(cluster([node('n1'), node('n2', { images })]), pod('a')), 'n2');
});

test('the emptier node is better', () => {
  const state = cluster(
    [node('n1'), node('n2')],
    [[pod('big', { requests: { cpu: '2', memory: '4Gi' } }), 'n1']],
  );
  assert.equal(place(state, pod('a')), 'n2');
});

test('of a big cluster a share of the nodes is enough to choose from, another share each time', () => {
  const cases = [
    [99, 99],
    [100, 100],
    [1000, 420],
    [5000, 500],
    [10_000, 500],
  ] as const;
  for (const [nodes, enough] of cases) assert.equal(feasibleEnough(nodes), enough, `of ${nodes}`);
  const state = cluster(Array.from({ length: 300 }, (_, index) => node(`n${index}`)));
  let searched = 0;
  const onSearched = (nodes: number) => {
    searched = nodes;
  };
  assert.equal(place(state, pod('a'), { onSearched }), 'n0');
  assert.equal(searched, feasibleEnough(300));
  assert.equal(place(state, pod('a'), { start: 250, onSearched }), 'n250');
});

test('nodes are looked at zone by zone in turn', () => {
  const nodes = ['a1', 'a2', 'a3', 'b1', 'c1'].map((name) => node(name, { labels: { [zone]: name[0]! } }));
  const state = cluster(nodes);
  assert.deepEqual(
    state.nodes.map(({ name }) => name),
    ['a1', 'b1', 'c1', 'a2', 'a3'],
  );
  state.removeNode('b1');
  state.putNode(node('a1', { labels: { [zone]: 'd' } }));
  assert.deepEqual(
    state.nodes.map(({ name }) => name),
    ['a1', 'a2', 'c1', 'a3'],
  );
});
