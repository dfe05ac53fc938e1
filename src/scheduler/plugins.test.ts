import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../api/kinds/node.ts';
import type { Pod } from '../api/kinds/pod.ts';
import type { TopologySpreadConstraint } from '../api/parts/affinity.ts';
import type { PodSpec } from '../api/parts/podSpec.ts';
import { schedule } from './schedule.ts';
import { cluster, hostname, node, pod, zone } from './testing.ts';

/** One documented rule: which of the nodes may take the pod, or in which words none may. */
interface Case {
  rule: string;
  nodes: Node[];
  placed?: [Pod, string][];
  namespaces?: Record<string, Record<string, string>>;
  pod: Pod;
  /** A node, or the reason that is told of all nodes. */
  expected: string;
}

function check(cases: Case[]): void {
  for (const { rule, nodes, placed, namespaces, pod: asked, expected } of cases) {
    const state = cluster(nodes, placed, { ...(namespaces && { namespaces }) });
    const decision = schedule(state, asked);
    const got = decision.node ?? /available: \d+ (.*?)\.(?: preemption: .*)?$/.exec(decision.message)?.[1];
    assert.equal(got, expected, rule);
  }
}

const container = (name: string, requests: Record<string, string>, restartPolicy?: 'Always') => ({
  name,
  image: 'app:1',
  resources: { requests },
  ...(restartPolicy && { restartPolicy }),
});

test('resources: what is asked for must be free', () => {
  const [small] = [node('n1', { allocatable: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' } })];
  const asking = (requests: Record<string, string>, spec: Partial<PodSpec> = {}) =>
    pod('a', { requests, spec });
  const gpu = node('n1', { allocatable: { 'example.com/gpu': '2' } });
  check([
    { rule: 'exactly what is there', nodes: [small], pod: asking({ cpu: '1000m' }), expected: 'n1' },
    {
      rule: 'a thousandth more',
      nodes: [small],
      pod: asking({ cpu: '1001m' }),
      expected: 'Insufficient cpu',
    },
    { rule: 'memory', nodes: [small], pod: asking({ memory: '1025Mi' }), expected: 'Insufficient memory' },
    {
      rule: 'ephemeral storage',
      nodes: [small],
      pod: asking({ 'ephemeral-storage': '2Gi' }),
      expected: 'Insufficient ephemeral-storage',
    },
    {
      rule: 'an extended resource that the node does not have',
      nodes: [small],
      pod: asking({ 'example.com/gpu': '1' }),
      expected: 'Insufficient example.com/gpu',
    },
    {
      rule: 'zero of what the node does not have',
      nodes: [small],
      pod: asking({ 'example.com/gpu': '0' }),
      expected: 'n1',
    },
    {
      rule: 'an extended resource that is used up',
      nodes: [gpu],
      placed: [[pod('b', { requests: { 'example.com/gpu': '2' } }), 'n1']],
      pod: asking({ 'example.com/gpu': '1' }),
      expected: 'Insufficient example.com/gpu',
    },
    {
      rule: 'overhead comes on top',
      nodes: [small],
      pod: asking({ cpu: '900m' }, { overhead: { cpu: '200m' } }),
      expected: 'Insufficient cpu',
    },
    {
      rule: 'requests of the pod as a whole take the place of the sum',
      nodes: [small],
      pod: asking({ cpu: '900m' }, { resources: { requests: { cpu: '1100m' } } }),
      expected: 'Insufficient cpu',
    },
    {
      rule: 'the number of pods, even of one that asks for nothing',
      nodes: [node('n1', { allocatable: { pods: '1' } })],
      placed: [[pod('b'), 'n1']],
      pod: pod('a'),
      expected: 'Too many pods',
    },
  ]);
});

test('resources: init containers run one after the other, sidecars beside all that follows', () => {
  const nodes = [node('n1', { allocatable: { cpu: '1' } })];
  const of = (main: string, ...initContainers: PodSpec['initContainers'] & object[]) =>
    pod('a', { spec: { containers: [container('main', { cpu: main })], initContainers } });
  check([
    {
      rule: 'steps do not add up',
      nodes,
      pod: of('500m', container('i1', { cpu: '1' }), container('i2', { cpu: '1' })),
      expected: 'n1',
    },
    {
      rule: 'the largest step counts',
      nodes,
      pod: of('100m', container('i1', { cpu: '1100m' })),
      expected: 'Insufficient cpu',
    },
    {
      rule: 'a sidecar runs beside the containers',
      nodes,
      pod: of('700m', container('s1', { cpu: '400m' }, 'Always')),
      expected: 'Insufficient cpu',
    },
    {
      rule: 'a sidecar runs beside later steps',
      nodes,
      pod: of('100m', container('s1', { cpu: '400m' }, 'Always'), container('i1', { cpu: '700m' })),
      expected: 'Insufficient cpu',
    },
    {
      rule: 'a step before the sidecar is alone',
      nodes,
      pod: of('100m', container('i1', { cpu: '700m' }), container('s1', { cpu: '400m' }, 'Always')),
      expected: 'n1',
    },
  ]);
});

test('node name, selector and affinity say where a pod may go', () => {
  const nodes = [
    node('n1', { labels: { disk: 'hdd', cores: '4' } }),
    node('n2', { labels: { disk: 'ssd', cores: '16' } }),
  ];
  const wrong = "node(s) didn't match Pod's node affinity/selector";
  const requiring = (...nodeSelectorTerms: object[]) =>
    pod('a', {
      spec: {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
        },
      } as Partial<PodSpec>,
    });
  const label = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }],
  });
  const named = (operator: string, name: string) => ({
    matchFields: [{ key: 'metadata.name', operator, values: [name] }],
  });
  const both = { ...label('disk', 'In', 'ssd'), ...named('In', 'n1') };
  check([
    {
      rule: 'nodeSelector',
      nodes,
      pod: pod('a', { spec: { nodeSelector: { disk: 'ssd' } } }),
      expected: 'n2',
    },
    { rule: 'In', nodes, pod: requiring(label('disk', 'In', 'ssd', 'nvme')), expected: 'n2' },
    { rule: 'NotIn', nodes, pod: requiring(label('disk', 'NotIn', 'hdd')), expected: 'n2' },
    {
      rule: 'NotIn holds without the label',
      nodes,
      pod: requiring(label('gpu', 'NotIn', 'x')),
      expected: 'n1',
    },
    { rule: 'Exists', nodes, pod: requiring(label('gpu', 'Exists')), expected: wrong },
    { rule: 'DoesNotExist', nodes, pod: requiring(label('disk', 'DoesNotExist')), expected: wrong },
    { rule: 'Gt', nodes, pod: requiring(label('cores', 'Gt', '8')), expected: 'n2' },
    { rule: 'Lt', nodes, pod: requiring(label('cores', 'Lt', '8')), expected: 'n1' },
    { rule: 'Gt of text', nodes, pod: requiring(label('disk', 'Gt', '8')), expected: wrong },
    {
      rule: 'terms are alternatives',
      nodes,
      pod: requiring(label('gpu', 'Exists'), named('In', 'n2')),
      expected: 'n2',
    },
    { rule: 'within a term all must hold', nodes, pod: requiring(both), expected: wrong },
    { rule: 'matchFields NotIn', nodes, pod: requiring(named('NotIn', 'n1')), expected: 'n2' },
    { rule: 'an empty term matches nothing', nodes, pod: requiring({}), expected: wrong },
  ]);
});

test('taints keep pods away that do not tolerate them', () => {
  const tainted = (effect: 'NoSchedule' | 'NoExecute' | 'PreferNoSchedule', value?: string) => [
    node('n1', { spec: { taints: [{ key: 'gpu', effect, ...(value && { value }) }] } }),
  ];
  const tolerating = (toleration: object) => pod('a', { spec: { tolerations: [toleration] } });
  const cordoned = [node('n1', { spec: { unschedulable: true } })];
  check([
    {
      rule: 'NoSchedule',
      nodes: tainted('NoSchedule', 'yes'),
      pod: pod('a'),
      expected: 'node(s) had untolerated taint {gpu: yes}',
    },
    {
      rule: 'NoExecute',
      nodes: tainted('NoExecute'),
      pod: pod('a'),
      expected: 'node(s) had untolerated taint {gpu: }',
    },
    {
      rule: 'PreferNoSchedule only prefers',
      nodes: tainted('PreferNoSchedule'),
      pod: pod('a'),
      expected: 'n1',
    },
    {
      rule: 'Equal',
      nodes: tainted('NoSchedule', 'yes'),
      pod: tolerating({ key: 'gpu', value: 'yes' }),
      expected: 'n1',
    },
    {
      rule: 'Exists',
      nodes: tainted('NoSchedule', 'yes'),
      pod: tolerating({ key: 'gpu', operator: 'Exists' }),
      expected: 'n1',
    },
    {
      rule: 'Exists without a key',
      nodes: tainted('NoExecute'),
      pod: tolerating({ operator: 'Exists' }),
      expected: 'n1',
    },
    {
      rule: 'another effect',
      nodes: tainted('NoExecute'),
      pod: tolerating({ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }),
      expected: 'node(s) had untolerated taint {gpu: }',
    },
    { rule: 'unschedulable', nodes: cordoned, pod: pod('a'), expected: 'node(s) were unschedulable' },
    {
      rule: 'unschedulable, tolerated',
      nodes: cordoned,
      pod: tolerating({ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }),
      expected: 'n1',
    },
    {
      rule: 'a node that is not ready is as good as tainted',
      nodes: [node('n1', { ready: false })],
      pod: pod('a'),
      expected: 'node(s) had untolerated taint {node.kubernetes.io/not-ready: }',
    },
  ]);
});

test('host ports are given once for an address and protocol', () => {
  const at = (name: string, port: object) =>
    pod(name, { spec: { containers: [{ name: 'main', ports: [{ containerPort: 80, ...port }] }] } });
  const nodes = [node('n1')];
  const taken = "node(s) didn't have free ports for the requested pod ports";
  const cases: [string, object, object, string][] = [
    ['the same port', { hostPort: 80 }, { hostPort: 80 }, taken],
    ['another port', { hostPort: 80 }, { hostPort: 81 }, 'n1'],
    ['another protocol', { hostPort: 80 }, { hostPort: 80, protocol: 'UDP' }, 'n1'],
    ['other addresses', { hostPort: 80, hostIP: '127.0.0.1' }, { hostPort: 80, hostIP: '127.0.0.2' }, 'n1'],
    ['all addresses', { hostPort: 80, hostIP: '127.0.0.1' }, { hostPort: 80, hostIP: '0.0.0.0' }, taken],
    ['no host port', {}, {}, 'n1'],
  ];
  check(
    cases.map(([rule, there, wanted, expected]) => ({
      rule,
      nodes,
      placed: [[at('b', there), 'n1']],
      pod: at('a', wanted),
      expected,
    })),
  );
});

const near = (term: object) => ({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } });
const far = (term: object) => ({
  podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
});
const web = { labelSelector: { matchLabels: { app: 'web' } } };
const with_ = (affinity: object, labels: Record<string, string> = {}, namespace?: string) =>
  pod('a', { labels, spec: { affinity } as Partial<PodSpec>, ...(namespace && { namespace }) });

test('pod affinity: namespaces, domains and matching label keys', () => {
  const nodes = [
    node('a1', { labels: { [zone]: 'a' } }),
    node('b1', { labels: { [zone]: 'b' } }),
    node('x1'),
  ];
  const tooFar = "node(s) didn't match pod affinity rules";
  const placed: [Pod, string][] = [
    [pod('w', { labels: { app: 'web', version: '2' } }), 'b1'],
    [pod('w', { labels: { app: 'web' }, namespace: 'shop' }), 'a1'],
  ];
  const namespaces = { shop: { team: 'shop' }, default: { team: 'core' } };
  const one = (rule: string, term: object, expected: string, labels = {}): Case => ({
    rule,
    nodes,
    placed,
    namespaces,
    pod: with_(near({ topologyKey: zone, ...web, ...term }), labels),
    expected,
  });
  check([
    one('its own namespace by default', {}, 'b1'),
    one('named namespaces', { namespaces: ['shop'] }, 'a1'),
    one('a namespace selector', { namespaceSelector: { matchLabels: { team: 'shop' } } }, 'a1'),
    one('a selector that finds no namespace', { namespaceSelector: { matchLabels: { team: 'x' } } }, tooFar),
    one(
      'selector and names together',
      { namespaceSelector: { matchLabels: { team: 'x' } }, namespaces: ['shop'] },
      'a1',
    ),
    one(
      'an empty selector means all',
      { namespaceSelector: {}, labelSelector: { matchLabels: { version: '2' } } },
      'b1',
    ),
    one('no label selector means no pod', { labelSelector: undefined }, tooFar),
    one('matchLabelKeys, alike', { matchLabelKeys: ['version'] }, 'b1', { version: '2' }),
    one('matchLabelKeys, different', { matchLabelKeys: ['version'] }, tooFar, { version: '3' }),
    one('mismatchLabelKeys', { mismatchLabelKeys: ['version'] }, tooFar, { version: '2' }),
    one('a key that the pod lacks says nothing', { matchLabelKeys: ['none'] }, 'b1'),
    {
      rule: 'a node without the key is in no domain',
      nodes: [node('x1')],
      placed: [[pod('w', { labels: { app: 'web' } }), 'x1']],
      pod: with_(near({ topologyKey: zone, ...web })),
      expected: tooFar,
    },
    {
      rule: 'the first of its kind is let in',
      nodes,
      pod: with_(near({ topologyKey: zone, ...web }), { app: 'web' }),
      expected: 'a1',
    },
    {
      rule: 'the first of another kind is not',
      nodes: nodes.slice(0, 1),
      pod: with_(near({ topologyKey: zone, ...web }), { app: 'db' }),
      expected: tooFar,
    },
  ]);
});

test('pod anti-affinity holds for the pod and for those that are there', () => {
  const nodes = [node('a1', { labels: { [zone]: 'a' } }), node('a2', { labels: { [zone]: 'a' } })];
  const term = { topologyKey: zone, ...web };
  const tooNear = "node(s) didn't match pod anti-affinity rules";
  const repelled = "node(s) didn't satisfy existing pods anti-affinity rules";
  check([
    {
      rule: 'a pod in the domain',
      nodes,
      placed: [[pod('w', { labels: { app: 'web' } }), 'a1']],
      pod: with_(far(term)),
      expected: tooNear,
    },
    {
      rule: 'the domain is what the key says',
      nodes,
      placed: [[pod('w', { labels: { app: 'web' } }), 'a1']],
      pod: with_(far({ ...term, topologyKey: hostname })),
      expected: 'a2',
    },
    {
      rule: 'a pod there refuses it',
      nodes,
      placed: [[pod('w', { spec: { affinity: far(term) } as Partial<PodSpec> }), 'a1']],
      pod: pod('a', { labels: { app: 'web' } }),
      expected: repelled,
    },
    {
      rule: 'a pod there of another namespace does not',
      nodes,
      placed: [[pod('w', { namespace: 'x', spec: { affinity: far(term) } as Partial<PodSpec> }), 'a1']],
      pod: pod('a', { labels: { app: 'web' } }),
      expected: 'a2',
    },
    {
      rule: 'a pod that is being deleted counts until it is gone',
      nodes,
      placed: [
        [
          {
            ...pod('w', { labels: { app: 'web' } }),
            metadata: {
              name: 'w',
              namespace: 'default',
              labels: { app: 'web' },
              deletionTimestamp: '2026-01-01T00:00:00Z',
            },
          },
          'a1',
        ],
      ],
      pod: with_(far(term)),
      expected: tooNear,
    },
  ]);
});

test('preferred pod affinity attracts and repels, also from the side of those that are there', () => {
  const nodes = [node('n1'), node('n2')];
  const preferred = (term: object) => [
    { weight: 50, podAffinityTerm: { topologyKey: hostname, ...web, ...term } },
  ];
  const liking = { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred({}) } };
  const shunning = { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred({}) } };
  const labels = { app: 'web' };
  const there = (affinity: object = {}): [Pod, string] => [
    pod('w', { labels, spec: { affinity } as Partial<PodSpec> }),
    'n2',
  ];
  check([
    { rule: 'likes it', nodes, placed: [there()], pod: with_(liking), expected: 'n2' },
    {
      rule: 'shuns it',
      nodes: [nodes[1]!, nodes[0]!],
      placed: [there()],
      pod: with_(shunning),
      expected: 'n1',
    },
    { rule: 'is liked', nodes, placed: [there(liking)], pod: pod('a', { labels }), expected: 'n2' },
    {
      rule: 'is shunned',
      nodes: [nodes[1]!, nodes[0]!],
      placed: [there(shunning)],
      pod: pod('a', { labels }),
      expected: 'n1',
    },
    {
      rule: 'is required by one there',
      nodes,
      placed: [there(near({ topologyKey: hostname, ...web }))],
      pod: pod('a', { labels }),
      expected: 'n2',
    },
  ]);
});

test('topology spread: DoNotSchedule', () => {
  const zoned = (name: string, options: Parameters<typeof node>[1] = {}) =>
    node(name, { labels: { [zone]: name[0]! }, ...options });
  const nodes = [zoned('a1'), zoned('b1')];
  const labels = { app: 'web' };
  const skewed = "node(s) didn't match pod topology spread constraints";
  const spread = (
    constraint: Partial<TopologySpreadConstraint>,
    spec: Partial<PodSpec> = {},
    own: Record<string, string> = labels,
  ) =>
    pod('new', {
      labels: own,
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: zone,
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: labels },
            ...constraint,
          },
        ],
        ...spec,
      },
    });
  const on = (...names: string[]): [Pod, string][] =>
    names.map((name, index) => [pod(`w${index}`, { labels }), name]);
  const leaving: [Pod, string] = [
    {
      ...pod('l', { labels }),
      metadata: { name: 'l', namespace: 'default', labels, deletionTimestamp: '2026-01-01T00:00:00Z' },
    },
    'a1',
  ];
  const tainted = zoned('b1', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
  check([
    { rule: 'the emptier zone', nodes, placed: on('a1'), pod: spread({}), expected: 'b1' },
    {
      rule: 'a larger skew leaves the choice to the scores',
      nodes: [nodes[0]!, zoned('b1', { allocatable: { cpu: '0' } })],
      placed: on('a1'),
      pod: spread({ maxSkew: 2 }, { containers: [{ name: 'm', resources: { requests: { cpu: '1' } } }] }),
      expected: 'a1',
    },
    {
      rule: 'pods of other labels do not count',
      nodes,
      placed: [
        [pod('x'), 'a1'],
        [pod('y'), 'a1'],
      ],
      pod: spread({}),
      expected: 'b1',
    },
    {
      rule: 'pods of other namespaces do not count',
      nodes: [nodes[0]!],
      placed: [[pod('x', { labels, namespace: 'o' }), 'a1']],
      pod: spread({}),
      expected: 'a1',
    },
    {
      rule: 'pods that leave do not count',
      nodes,
      placed: [leaving, ...on('b1')],
      pod: spread({}),
      expected: 'a1',
    },
    {
      rule: 'a node without the label',
      nodes: [node('n1')],
      pod: spread({}),
      expected: `${skewed} (missing required label)`,
    },
    {
      rule: 'too few domains count as an empty one',
      nodes: [zoned('a1')],
      placed: on('a1'),
      pod: spread({ minDomains: 2 }),
      expected: skewed,
    },
    { rule: 'enough domains', nodes, placed: on('a1', 'b1'), pod: spread({ minDomains: 2 }), expected: 'a1' },
    {
      rule: 'zones that the pod may not go to do not count',
      nodes,
      placed: on('a1'),
      pod: spread({}, { nodeSelector: { [zone]: 'a' } }),
      expected: 'a1',
    },
    {
      rule: 'nodeAffinityPolicy Ignore',
      nodes: [nodes[0]!, zoned('b1', { spec: { unschedulable: true } })],
      placed: on('a1'),
      pod: spread({ nodeAffinityPolicy: 'Ignore' }, { nodeSelector: { [hostname]: 'a1' } }),
      expected: "node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable",
    },
    {
      rule: 'tainted nodes count by default',
      nodes: [nodes[0]!, tainted],
      placed: on('a1'),
      pod: spread({}),
      expected: `node(s) didn't match pod topology spread constraints, 1 node(s) had untolerated taint {k: }`,
    },
    {
      rule: 'nodeTaintsPolicy Honor',
      nodes: [nodes[0]!, tainted],
      placed: on('a1'),
      pod: spread({ nodeTaintsPolicy: 'Honor' }),
      expected: 'a1',
    },
    {
      rule: 'matchLabelKeys narrow to the same revision',
      nodes: [nodes[0]!],
      placed: on('a1', 'a1'),
      pod: spread({ matchLabelKeys: ['hash'], minDomains: 2 }, {}, { ...labels, hash: '2' }),
      expected: 'a1',
    },
  ]);
});

test('topology spread: ScheduleAnyway prefers the emptier domain', () => {
  const nodes = ['a1', 'a2', 'b1'].map((name) => node(name, { labels: { [zone]: name[0]! } }));
  const labels = { app: 'web' };
  const constraint = {
    maxSkew: 1,
    topologyKey: zone,
    whenUnsatisfiable: 'ScheduleAnyway' as const,
    labelSelector: { matchLabels: labels },
  };
  const asked = pod('new', { labels, spec: { topologySpreadConstraints: [constraint] } });
  check([
    { rule: 'zone b is empty', nodes, placed: [[pod('w', { labels }), 'a1']], pod: asked, expected: 'b1' },
  ]);
});
