import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet, DaemonSetSpec } from '../../api/kinds/daemonSet.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import { plan } from './plan.ts';
import { podOf } from './pod.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');

function daemonSet(spec: Partial<DaemonSetSpec> = {}, pod: object = {}): DaemonSet {
  const labels = { app: 'agent' };
  return {
    metadata: { name: 'agent', namespace: 'default', uid: 'agent', generation: 1 },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'app:1' }], ...pod } },
      ...spec,
    },
  };
}

const rolling = (rollingUpdate: object): Partial<DaemonSetSpec> => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate },
});

const node = (name: string, spec: Node['spec'] = {}, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  spec,
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
});

/** Pods come up at once unless `isHealthy` says otherwise, and go at once when deleted. */
class World {
  owner: DaemonSet;
  nodes: Node[];
  pods: Pod[] = [];
  hash = 'v1';
  isHealthy: (hash: string) => boolean = () => true;
  leastAvailable = Number.POSITIVE_INFINITY;
  mostPods = 0;
  #made = 0;

  constructor(owner: DaemonSet, nodes: Node[]) {
    this.owner = owner;
    this.nodes = nodes;
  }

  step() {
    const planned = plan({
      daemonSet: this.owner,
      nodes: this.nodes,
      pods: this.pods,
      hash: this.hash,
      nowMs,
    });
    const gone = new Set([...planned.remove, ...planned.ended]);
    this.pods = this.pods.filter((pod) => !gone.has(pod));
    if (gone.size === 0) for (const name of planned.create) this.#create(name);
    this.leastAvailable = Math.min(this.leastAvailable, this.available);
    this.mostPods = Math.max(this.mostPods, this.pods.length);
    this.owner = { ...this.owner, status: planned.status };
    return planned;
  }

  settle(): void {
    for (let before = ''; before !== JSON.stringify([this.pods, this.owner.status]); ) {
      before = JSON.stringify([this.pods, this.owner.status]);
      this.step();
    }
  }

  get available(): number {
    return this.pods.filter(({ status }) => status?.conditions?.[0]?.status === 'True').length;
  }

  roll(hash: string): void {
    this.hash = hash;
    this.leastAvailable = Number.POSITIVE_INFINITY;
    this.mostPods = 0;
  }

  hashes(): (string | undefined)[] {
    return this.pods.map(({ metadata }) => metadata?.labels?.['controller-revision-hash']);
  }

  #create(nodeName: string): void {
    const pod = structuredClone(podOf(this.owner, nodeName, this.hash));
    const name = `pod-${String(this.#made++).padStart(3, '0')}`;
    const status = this.isHealthy(this.hash) ? ('True' as const) : ('False' as const);
    this.pods.push({
      ...pod,
      metadata: { ...pod.metadata, name, uid: name, creationTimestamp: toTime(nowMs + this.#made * 1000) },
      spec: { ...pod.spec!, nodeName },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status }] },
    });
  }
}

const five = ['a', 'b', 'c', 'd', 'e'].map((name) => node(name));

test('every node that can take a pod gets one, and the scheduler is left no other choice', () => {
  const taint = (effect: 'NoSchedule' | 'NoExecute', key = 'gpu') => ({ taints: [{ key, effect }] });
  const cases: [Node, object, boolean][] = [
    [node('n'), {}, true],
    [
      node('n', { unschedulable: true, ...taint('NoSchedule', 'node.kubernetes.io/unschedulable') }),
      {},
      true,
    ],
    [node('n', taint('NoSchedule')), {}, false],
    [node('n', taint('NoSchedule')), { tolerations: [{ key: 'gpu', operator: 'Exists' }] }, true],
    [node('n', taint('NoExecute', 'node.kubernetes.io/not-ready')), {}, true],
    [node('n'), { nodeSelector: { disk: 'fast' } }, false],
    [node('n', {}, { disk: 'fast' }), { nodeSelector: { disk: 'fast' } }, true],
    [node('n'), { nodeName: 'other' }, false],
  ];
  for (const [at, pod, isWanted] of cases) {
    const world = new World(daemonSet({}, pod), [at]);
    world.settle();
    assert.equal(world.pods.length === 1, isWanted, JSON.stringify([at, pod]));
    assert.equal(world.owner.status?.desiredNumberScheduled, isWanted ? 1 : 0);
  }
  const pod = podOf(daemonSet(), 'n', 'v1');
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  assert.deepEqual(required?.nodeSelectorTerms, [
    { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] },
  ]);
  assert.equal(pod.spec?.tolerations?.length, 6);
  assert.equal(podOf(daemonSet({}, { hostNetwork: true }), 'n', 'v1').spec?.tolerations?.length, 7);
});

test('a pod leaves a node that it may not stay on, and stays where only new ones are kept away', () => {
  const world = new World(daemonSet(), [node('a'), node('b'), node('c', {}, { role: 'x' })]);
  world.settle();
  world.nodes = [
    node('a', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }),
    node('b', { taints: [{ key: 'gpu', effect: 'NoExecute' }] }),
    node('c'),
  ];
  world.settle();
  assert.deepEqual(world.pods.map(({ spec }) => spec?.nodeName).sort(), ['a', 'c']);
  const { desiredNumberScheduled, numberMisscheduled } = world.owner.status!;
  assert.deepEqual([desiredNumberScheduled, numberMisscheduled], [1, 1]);
});

test('of two pods on a node the older stays, and an ended one is replaced', () => {
  const world = new World(daemonSet(), [node('a')]);
  world.settle();
  const [first] = world.pods;
  world.pods.push({
    ...first!,
    metadata: { ...first!.metadata, name: 'twin', creationTimestamp: toTime(nowMs + 9e6) },
  });
  world.settle();
  assert.deepEqual(world.pods, [first]);
  world.pods = [{ ...first!, status: { phase: 'Failed' } }];
  assert.equal(world.step().ended.length, 1);
  world.settle();
  assert.equal(world.pods[0]?.metadata?.name, 'pod-001');
});

test('a pod that has ended and goes makes room at once, one that still runs does not', () => {
  const world = new World(daemonSet(), [node('a')]);
  world.settle();
  const [first] = world.pods;
  const going = { ...first!, metadata: { ...first!.metadata, deletionTimestamp: toTime(nowMs) } };
  world.pods = [going];
  const { create, status } = world.step();
  assert.deepEqual([create, status.currentNumberScheduled], [[], 1]);
  world.pods = [{ ...going, status: { phase: 'Failed' } }];
  const next = world.step();
  assert.deepEqual([next.create, next.status.currentNumberScheduled], [['a'], 0]);
});

test('while a pod is replaced the older one counts, and goes at once when it serves nobody', () => {
  const world = new World(daemonSet(rolling({ maxUnavailable: 0, maxSurge: 1 })), [node('a')]);
  world.settle();
  world.isHealthy = (hash) => hash !== 'bad';
  world.roll('bad');
  world.step();
  const { updatedNumberScheduled, numberReady } = world.step().status;
  assert.deepEqual([world.pods.length, updatedNumberScheduled, numberReady], [2, undefined, 1]);
  world.pods[0]!.status!.conditions = [{ type: 'Ready', status: 'False' }];
  world.step();
  assert.deepEqual(world.hashes(), ['bad']);
});

test('a node that is not ready yet gets no pod, and keeps one that is there', () => {
  const silent: Node = { ...node('a'), status: {} };
  const world = new World(daemonSet(), [silent]);
  world.settle();
  assert.equal(world.pods.length, 0);
  world.nodes = [node('a')];
  world.settle();
  world.nodes = [silent];
  world.settle();
  assert.deepEqual([world.pods.length, world.owner.status?.numberMisscheduled], [1, 1]);
});

test('a toleration of the template that ends holds without end where a daemon needs it', () => {
  const key = 'node.kubernetes.io/unreachable';
  const own = { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 };
  const { tolerations = [] } = podOf(daemonSet({}, { tolerations: [own] }), 'n', 'v1').spec!;
  assert.deepEqual(
    [tolerations.length, tolerations[0]],
    [6, { key, operator: 'Exists', effect: 'NoExecute' }],
  );
});

test('a rolling update keeps within its limits and ends with current pods on all nodes', () => {
  const cases: [object, number, number][] = [
    [{}, 4, 5],
    [{ maxUnavailable: 3 }, 2, 5],
    [{ maxUnavailable: '40%' }, 3, 5],
    [{ maxUnavailable: 0, maxSurge: 1 }, 5, 6],
    [{ maxUnavailable: 0, maxSurge: '100%' }, 5, 10],
  ];
  for (const [rollingUpdate, least, most] of cases) {
    const world = new World(daemonSet(rolling(rollingUpdate)), five);
    world.settle();
    world.roll('v2');
    world.settle();
    const what = JSON.stringify(rollingUpdate);
    assert.deepEqual(world.hashes(), ['v2', 'v2', 'v2', 'v2', 'v2'], what);
    assert.deepEqual([world.leastAvailable, world.mostPods], [least, most], what);
    assert.equal(world.owner.status?.updatedNumberScheduled, 5);
  }
});

test('a broken template stops after as many nodes as may be unavailable, and a good one replaces it', () => {
  for (const rollingUpdate of [{ maxUnavailable: 2 }, { maxUnavailable: 0, maxSurge: 2 }]) {
    const world = new World(daemonSet(rolling(rollingUpdate)), five);
    world.settle();
    world.isHealthy = (hash) => hash !== 'bad';
    world.roll('bad');
    world.settle();
    assert.equal(world.hashes().filter((hash) => hash === 'bad').length, 2);
    world.roll('good');
    world.settle();
    assert.deepEqual(world.hashes(), ['good', 'good', 'good', 'good', 'good']);
  }
});

test('with OnDelete a pod is replaced when somebody deletes it', () => {
  const world = new World(daemonSet({ updateStrategy: { type: 'OnDelete' } }), five);
  world.settle();
  world.roll('v2');
  world.settle();
  assert.deepEqual(world.hashes(), ['v1', 'v1', 'v1', 'v1', 'v1']);
  world.pods.shift();
  world.settle();
  assert.deepEqual(world.hashes(), ['v1', 'v1', 'v1', 'v1', 'v2']);
});
