import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/kinds/pod.ts';
import type { StatefulSet, StatefulSetSpec } from '../../api/kinds/statefulSet.ts';
import { plan } from './plan.ts';
import { missingIdentity, podOf } from './pod.ts';

function statefulSet(spec: Partial<StatefulSetSpec> = {}): StatefulSet {
  const labels = { app: 'db' };
  return {
    metadata: { name: 'db', namespace: 'default', uid: 'db', generation: 1 },
    spec: {
      replicas: 3,
      serviceName: 'db',
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'db:1' }] } },
      ...spec,
    },
  };
}

/** What is asked for happens at once, except that pods become ready when the test says so. */
class World {
  owner: StatefulSet;
  pods: Pod[] = [];
  revision = 'v1';
  done: string[] = [];

  constructor(spec: Partial<StatefulSetSpec> = {}) {
    this.owner = statefulSet(spec);
  }

  step(): void {
    const { status } = this.owner;
    const revisions = {
      currentRevision: status?.currentRevision ?? this.revision,
      updateRevision: this.revision,
    };
    const planned = plan({ statefulSet: this.owner, pods: this.pods, nowMs: 0, ...revisions });
    for (const pod of planned.remove) this.done.push(`-${pod.metadata?.name}`);
    this.pods = this.pods.filter((pod) => !planned.remove.includes(pod));
    for (const { ordinal, isUpdated } of planned.create) {
      const revision = isUpdated ? revisions.updateRevision : revisions.currentRevision;
      this.pods.push(podOf(this.owner, ordinal, { template: this.owner.spec!.template, revision }));
      this.done.push(`+${this.pods.at(-1)?.metadata?.name}`);
    }
    this.owner = { ...this.owner, status: planned.status };
  }

  ready(name?: string, status: 'True' | 'False' = 'True'): void {
    this.pods = this.pods.map((pod) => {
      if (name !== undefined && pod.metadata?.name !== name) return pod;
      return { ...pod, status: { phase: 'Running', conditions: [{ type: 'Ready', status }] } };
    });
  }

  /** Until nothing changes, with every pod ready at once. */
  settle(): string[] {
    this.done = [];
    for (let before = ''; before !== JSON.stringify([this.pods, this.owner.status]); ) {
      before = JSON.stringify([this.pods, this.owner.status]);
      this.step();
      this.ready();
    }
    return this.done;
  }

  change(spec: Partial<StatefulSetSpec>, revision = this.revision): void {
    this.owner = { ...this.owner, spec: { ...this.owner.spec!, ...spec } };
    this.revision = revision;
  }

  revisions(): string[] {
    const entries = this.pods.map(
      ({ metadata }) => `${metadata?.name}:${metadata?.labels?.['controller-revision-hash']}`,
    );
    return entries.sort();
  }
}

test('pods come up in order, each when those before it are ready, and know who they are', () => {
  const world = new World();
  world.step();
  world.step();
  assert.deepEqual(world.done, ['+db-0']);
  const { metadata, spec } = world.pods[0]!;
  assert.deepEqual([spec?.hostname, spec?.subdomain], ['db-0', 'db']);
  assert.equal(metadata?.labels?.['statefulset.kubernetes.io/pod-name'], 'db-0');
  assert.equal(metadata?.labels?.['apps.kubernetes.io/pod-index'], '0');
  world.ready();
  assert.deepEqual(world.settle(), ['+db-1', '+db-2']);
  assert.deepEqual([world.owner.status?.readyReplicas, world.owner.status?.currentRevision], [3, 'v1']);
});

test('with the policy Parallel all come and go at once', () => {
  const world = new World({ podManagementPolicy: 'Parallel' });
  world.step();
  assert.deepEqual(world.done, ['+db-0', '+db-1', '+db-2']);
  world.change({ replicas: 0 });
  world.step();
  assert.equal(world.pods.length, 0);
});

test('scaling down goes from the last, and waits for a pod before it that is not ready', () => {
  const world = new World({ replicas: 4 });
  world.settle();
  world.change({ replicas: 1 });
  assert.deepEqual(world.settle(), ['-db-3', '-db-2', '-db-1']);
  world.change({ replicas: 3 });
  world.settle();
  world.ready('db-0', 'False');
  world.change({ replicas: 1 });
  world.done = [];
  world.step();
  assert.deepEqual(world.done, []);
});

test('scaling down waits until the last pod is available, not only ready', () => {
  const world = new World({ replicas: 3 });
  world.settle();
  world.change({ replicas: 1, minReadySeconds: 60 });
  const since = (seconds: number) => new Date(-seconds * 1000).toISOString();
  world.pods = world.pods.map((pod, at) => {
    const lastTransitionTime = since(at === 2 ? 1 : 3600);
    return {
      ...pod,
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] },
    };
  });
  world.done = [];
  world.step();
  assert.deepEqual(world.done, []);
  world.change({ replicas: 1, minReadySeconds: 0 });
  world.step();
  assert.deepEqual(world.done, ['-db-2']);
});

test('a pod that was taken in gets the labels that its name gives it', () => {
  const pod = { metadata: { name: 'db-1', labels: { app: 'db' } } };
  const labels = { 'statefulset.kubernetes.io/pod-name': 'db-1', 'apps.kubernetes.io/pod-index': '1' };
  assert.deepEqual(missingIdentity(pod, 1), labels);
  assert.equal(missingIdentity({ metadata: { name: 'db-1', labels } }, 1), undefined);
});

test('ordinals may start elsewhere', () => {
  const world = new World({ replicas: 2, ordinals: { start: 5 } });
  assert.deepEqual(world.settle(), ['+db-5', '+db-6']);
  world.change({ ordinals: { start: 6 } });
  assert.deepEqual(world.settle(), ['+db-7', '-db-5']);
});

test('an update goes from the last to the first, one ready pod after the other', () => {
  const world = new World();
  world.settle();
  world.change({}, 'v2');
  world.done = [];
  for (let round = 0; round < 4; round++) world.step();
  assert.deepEqual(world.done, ['-db-2', '+db-2']);
  assert.deepEqual([world.owner.status?.currentRevision, world.owner.status?.updateRevision], ['v1', 'v2']);
  assert.deepEqual([world.owner.status?.currentReplicas, world.owner.status?.updatedReplicas], [2, 1]);
  world.ready();
  assert.deepEqual(world.settle(), ['-db-1', '+db-1', '-db-0', '+db-0']);
  assert.equal(world.owner.status?.currentRevision, 'v2');
});

test('a partition keeps the pods below it, also when they are made anew', () => {
  const world = new World({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
  world.settle();
  world.change({}, 'v2');
  world.settle();
  assert.deepEqual(world.revisions(), ['db-0:v1', 'db-1:v1', 'db-2:v2']);
  world.pods = world.pods.filter(({ metadata }) => metadata?.name !== 'db-0');
  world.settle();
  assert.deepEqual(world.revisions(), ['db-0:v1', 'db-1:v1', 'db-2:v2']);
  assert.equal(world.owner.status?.currentRevision, 'v1');
  world.change({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } });
  world.settle();
  assert.equal(world.owner.status?.currentRevision, 'v2');
});

test('with OnDelete a pod gets the new template when somebody deletes it', () => {
  const world = new World({ updateStrategy: { type: 'OnDelete' } });
  world.settle();
  world.change({}, 'v2');
  assert.deepEqual(world.settle(), []);
  world.pods.shift();
  world.settle();
  assert.deepEqual(world.revisions(), ['db-0:v2', 'db-1:v1', 'db-2:v1']);
});

test('a pod that ended is made anew under its name', () => {
  const world = new World();
  world.settle();
  world.pods = world.pods.map((pod, at) => (at === 1 ? { ...pod, status: { phase: 'Failed' } } : pod));
  world.done = [];
  world.step();
  world.step();
  assert.deepEqual(world.done, ['-db-1', '+db-1']);
});
