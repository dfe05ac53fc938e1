import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, DeploymentSpec } from '../../api/kinds/deployment.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { ReplicaSet } from '../../api/kinds/replicaSet.ts';
import { type DeploymentAction, type DeploymentState, plan } from './plan.ts';
import { fenceposts, newReplicaSet, replicasOf, sortRevisions } from './replica-sets.ts';
import { withFailedCreation } from './status.ts';
import { templateHash } from './template.ts';

const startMs = Date.parse('2026-01-01T00:00:00Z');

function deployment(
  options: { image?: string; replicas?: number; spec?: Partial<DeploymentSpec> } = {},
): Deployment {
  const { image = 'app:1', replicas = 10, spec = {} } = options;
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'web', generation: 1 },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image }] },
      },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}

const rolling = (maxSurge: number | string, maxUnavailable: number | string): Partial<DeploymentSpec> => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});

/** A cluster in which ReplicaSets are obeyed at once, and pods become available when `settle` says so. */
class World {
  deployment: Deployment;
  replicaSets: ReplicaSet[] = [];
  nowMs = startMs;
  isHealthy: (image: string) => boolean = () => true;

  constructor(first: Deployment) {
    this.deployment = first;
  }

  /** One reconciliation: applies the plan and answers its actions. */
  step(pods: Pod[] = []): DeploymentAction[] {
    const state: DeploymentState = {
      deployment: this.deployment,
      replicaSets: this.replicaSets,
      pods,
      nowMs: this.nowMs,
    };
    const { actions, status } = plan(state);
    for (const action of actions) this.#apply(action);
    this.deployment = { ...this.deployment, status };
    return actions;
  }

  /** All pods that are healthy become available. */
  settle(): void {
    this.replicaSets = this.replicaSets.map((replicaSet) => {
      const replicas = replicasOf(replicaSet);
      const image = replicaSet.spec?.template?.spec?.containers[0]?.image ?? '';
      const available = this.isHealthy(image) ? replicas : 0;
      const counts = { replicas, readyReplicas: available, availableReplicas: available };
      return { ...replicaSet, status: { ...counts, observedGeneration: 1 } };
    });
  }

  /** Steps until nothing changes, checking the promise of the strategy at each. */
  converge(): void {
    const desired = this.deployment.spec?.replicas ?? 1;
    const { maxSurge, maxUnavailable } = fenceposts(this.deployment);
    for (let steps = 0; steps < 100; steps++) {
      const total = this.replicaSets.reduce((sum, each) => sum + replicasOf(each), 0);
      assert.ok(total <= Math.max(desired + maxSurge, this.before), `${total} pods of ${desired}`);
      const before = JSON.stringify(this.replicaSets);
      this.step();
      const available = this.replicaSets.reduce(
        (sum, each) => sum + Math.min(replicasOf(each), each.status?.availableReplicas ?? 0),
        0,
      );
      if (this.before > 0)
        assert.ok(available >= desired - maxUnavailable, `${available} available of ${desired}`);
      this.settle();
      if (JSON.stringify(this.replicaSets) === before) return;
    }
    assert.fail('no end in sight');
  }

  /** The size before the change that is being rolled out; 0 while first coming up. */
  before = 0;

  change(next: Deployment): void {
    this.before = this.replicaSets.reduce((sum, each) => sum + replicasOf(each), 0);
    const { status, metadata } = this.deployment;
    const generation = (metadata?.generation ?? 0) + 1;
    this.deployment = { ...next, metadata: { ...metadata, generation }, ...(status && { status }) };
  }

  sizes(): Record<string, number> {
    const image = (each: ReplicaSet) => each.spec?.template?.spec?.containers[0]?.image ?? '';
    return Object.fromEntries(this.replicaSets.map((each) => [image(each), replicasOf(each)]));
  }

  #apply(action: DeploymentAction): void {
    if (action.type === 'create') {
      const n = this.replicaSets.length;
      const creationTimestamp = new Date(startMs + n * 1000).toISOString();
      const metadata = { ...action.replicaSet.metadata, uid: `rs-${n}`, generation: 1, creationTimestamp };
      this.replicaSets.push({ ...action.replicaSet, metadata, status: { replicas: 0 } });
    } else if (action.type === 'update') {
      this.replicaSets = this.replicaSets.map((each) => (each === action.from ? action.to : each));
    } else if (action.type === 'delete') {
      this.replicaSets = this.replicaSets.filter((each) => each !== action.replicaSet);
    } else {
      const annotations = { 'deployment.kubernetes.io/revision': action.revision };
      this.deployment = { ...this.deployment, metadata: { ...this.deployment.metadata, annotations } };
    }
  }
}

test('surge is rounded up, unavailable down, and they are never both nothing', () => {
  const cases: [number, number | string, number | string, number, number][] = [
    [10, '25%', '25%', 3, 2],
    [3, '25%', '25%', 1, 0],
    [1, '25%', '25%', 1, 0],
    [4, 0, '10%', 0, 1],
    [4, 0, 0, 0, 1],
    [2, 1, 5, 1, 2],
    [0, 0, 0, 0, 0],
  ];
  for (const [replicas, surge, unavailable, maxSurge, maxUnavailable] of cases) {
    const spec = rolling(surge, unavailable);
    assert.deepEqual(
      fenceposts(deployment({ replicas, spec })),
      { maxSurge, maxUnavailable },
      `${replicas} ${surge}`,
    );
  }
});

test('every rollout keeps within maxSurge and maxUnavailable and ends complete', () => {
  const strategies: [number | string, number | string][] = [
    ['25%', '25%'],
    [1, 0],
    [0, 1],
    ['100%', 0],
    [0, '100%'],
    [0, 0],
  ];
  for (const [surge, unavailable] of strategies) {
    for (const replicas of [1, 2, 3, 10]) {
      const spec = rolling(surge, unavailable);
      const world = new World(deployment({ replicas, spec }));
      world.converge();
      world.change(deployment({ replicas, spec, image: 'app:2' }));
      world.converge();
      assert.deepEqual(
        world.sizes(),
        { 'app:1': 0, 'app:2': replicas },
        `${surge} ${unavailable} ${replicas}`,
      );
      const progress = world.deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
      assert.equal(progress?.reason, 'NewReplicaSetAvailable');
    }
  }
});

test('the template of an earlier revision gets its ReplicaSet back under a new number', () => {
  const world = new World(deployment());
  world.converge();
  for (const image of ['app:2', 'app:3', 'app:1']) {
    world.change(deployment({ image }));
    world.converge();
  }
  assert.deepEqual(world.sizes(), { 'app:1': 10, 'app:2': 0, 'app:3': 0 });
  const annotations = world.replicaSets[0]?.metadata?.annotations ?? {};
  assert.equal(annotations['deployment.kubernetes.io/revision'], '4');
  assert.equal(annotations['deployment.kubernetes.io/revision-history'], '1');
  assert.equal(world.deployment.metadata?.annotations?.['deployment.kubernetes.io/revision'], '4');
});

test('history beyond the limit goes, oldest revision first', () => {
  const world = new World(deployment({ spec: { revisionHistoryLimit: 2 } }));
  world.converge();
  for (const image of ['app:2', 'app:3', 'app:4', 'app:5']) {
    world.change(deployment({ image, spec: { revisionHistoryLimit: 2 } }));
    world.converge();
  }
  world.step();
  assert.deepEqual(world.sizes(), { 'app:3': 0, 'app:4': 0, 'app:5': 10 });
});

test('a rollout that makes no progress is told after the deadline, and a fixed one goes through', () => {
  const world = new World(deployment());
  world.converge();
  world.isHealthy = (image) => image !== 'broken';
  world.change(deployment({ image: 'broken' }));
  world.converge();
  assert.deepEqual(world.sizes(), { 'app:1': 8, broken: 5 });
  const progress = () => world.deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
  assert.equal(progress()?.reason, 'ReplicaSetUpdated');
  world.nowMs += 601_000;
  world.step();
  assert.deepEqual([progress()?.status, progress()?.reason], ['False', 'ProgressDeadlineExceeded']);
  world.change(deployment({ image: 'app:2' }));
  world.converge();
  assert.deepEqual(world.sizes(), { 'app:1': 0, broken: 0, 'app:2': 10 });
  assert.equal(progress()?.reason, 'NewReplicaSetAvailable');
});

test('a rollout is told from the new ReplicaSet on, and a resumed one waits anew', () => {
  const world = new World(deployment({ replicas: 1 }));
  const progress = () => world.deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
  world.step();
  const name = world.replicaSets[0]?.metadata?.name;
  assert.deepEqual(
    [progress()?.reason, progress()?.message],
    ['NewReplicaSetCreated', `Created new replica set "${name}"`],
  );
  world.settle();
  world.step();
  assert.equal(progress()?.message, `ReplicaSet "${name}" has successfully progressed.`);
  world.isHealthy = (image) => image === 'app:1';
  world.change(deployment({ replicas: 1, image: 'app:2' }));
  world.converge();
  assert.equal(progress()?.reason, 'ReplicaSetUpdated');
  world.change(deployment({ replicas: 1, image: 'app:2', spec: { paused: true } }));
  world.step();
  assert.deepEqual([progress()?.status, progress()?.reason], ['Unknown', 'DeploymentPaused']);
  world.nowMs += 700_000;
  world.change(deployment({ replicas: 1, image: 'app:2' }));
  world.step();
  world.step();
  assert.equal(progress()?.reason, 'DeploymentResumed');
  world.nowMs += 601_000;
  world.step();
  assert.equal(progress()?.reason, 'ProgressDeadlineExceeded');
});

test('a ReplicaSet that is there already is told as found, and the largest deadline is none', () => {
  const world = new World(deployment({ replicas: 1 }));
  world.converge();
  const { status } = world.deployment;
  const conditions = status?.conditions?.filter(({ type }) => type !== 'Progressing') ?? [];
  world.deployment = { ...deployment({ replicas: 2 }), status: { ...status, conditions } };
  world.step();
  world.step();
  const reasons = () => world.deployment.status?.conditions?.map(({ reason }) => reason);
  assert.ok(reasons()?.includes('FoundNewReplicaSet'), String(reasons()));
  world.settle();
  world.change(deployment({ replicas: 2, spec: { progressDeadlineSeconds: 2 ** 31 - 1 } }));
  world.converge();
  assert.deepEqual(reasons(), ['MinimumReplicasAvailable']);
});

test('a creation that failed is told where there is a deadline', () => {
  const [failed] = withFailedCreation(deployment(), 'no room', startMs);
  assert.deepEqual(
    [failed?.status, failed?.reason, failed?.message],
    ['False', 'ReplicaSetCreateError', 'no room'],
  );
  const patient = deployment({ spec: { progressDeadlineSeconds: 2 ** 31 - 1 } });
  assert.deepEqual(withFailedCreation(patient, 'no room', startMs), []);
});

test('a paused Deployment gives up surplus history', () => {
  const world = new World(deployment());
  world.converge();
  for (const image of ['app:2', 'app:3']) {
    world.change(deployment({ image }));
    world.converge();
  }
  world.change(deployment({ image: 'app:3', spec: { paused: true, revisionHistoryLimit: 1 } }));
  world.step();
  assert.deepEqual(world.sizes(), { 'app:2': 0, 'app:3': 10 });
});

test('a new size in the middle of a rollout is shared out in proportion', () => {
  const spec = rolling(3, 2);
  const world = new World(deployment({ spec }));
  world.converge();
  world.isHealthy = (image) => image !== 'broken';
  world.change(deployment({ image: 'broken', spec }));
  world.converge();
  assert.deepEqual(world.sizes(), { 'app:1': 8, broken: 5 });
  // The example of Kubernetes' own documentation: 15 replicas, of five more old pods get 3 and new ones 2.
  world.change(deployment({ image: 'broken', replicas: 15, spec }));
  world.step();
  assert.deepEqual(world.sizes(), { 'app:1': 11, broken: 7 });
});

test('a paused Deployment is scaled but not rolled out', () => {
  const world = new World(deployment({ replicas: 2 }));
  world.converge();
  world.change(deployment({ replicas: 4, image: 'app:2', spec: { paused: true } }));
  for (let i = 0; i < 3; i++) {
    world.step();
    world.settle();
  }
  assert.deepEqual(world.sizes(), { 'app:1': 4 });
});

test('Recreate waits for the last old pod, one that is still ending included', () => {
  const spec: Partial<DeploymentSpec> = { strategy: { type: 'Recreate' } };
  const world = new World(deployment({ replicas: 2, spec }));
  world.step();
  world.settle();
  world.change(deployment({ replicas: 2, spec, image: 'app:2' }));
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs-0', controller: true };
  const ending: Pod = {
    metadata: { name: 'web-1', ownerReferences: [owner], deletionTimestamp: '2026-01-01T00:00:00Z' },
    status: { phase: 'Running' },
  };
  world.step([ending]);
  world.settle();
  world.step([ending]);
  assert.deepEqual(world.sizes(), { 'app:1': 0 });
  world.step([]);
  assert.deepEqual(world.sizes(), { 'app:1': 0, 'app:2': 2 });
});

test('a complete Deployment asks for nothing and says the same', () => {
  const world = new World(deployment());
  world.converge();
  const before = world.deployment.status;
  world.nowMs += 3_600_000;
  assert.deepEqual(world.step(), []);
  assert.deepEqual(world.deployment.status, before);
});

test('templates that the server filled in differently only in nothing are the same; a collision renames', () => {
  const first = deployment();
  const replicaSet = newReplicaSet(first, { current: undefined, old: [] });
  const { template } = first.spec!;
  const noisy = {
    ...first,
    spec: { ...first.spec!, template: { ...template, metadata: { ...template.metadata, annotations: {} } } },
  };
  assert.equal(sortRevisions(noisy, [replicaSet]).current, replicaSet);
  assert.match(replicaSet.metadata?.name ?? '', /^web-[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
  assert.notEqual(templateHash(template), templateHash(template, 1));
});
