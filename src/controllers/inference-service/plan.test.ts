import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Deployment } from '../../api/kinds/deployment.ts';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { ReplicaSet } from '../../api/kinds/replicaSet.ts';
import { pathsAnnotation, splitAnnotation } from '../../mesh/compile.ts';
import { changed } from './ensure.ts';
import type { KnownModel } from './known-models.ts';
import { outdatedPods } from './model-pods.ts';
import { type InferencePlan, plan } from './plan.ts';
import { revisionNamed } from './revision.ts';
import { statusOf } from './status.ts';

type Predictor = NonNullable<InferenceService['spec']>['predictor'];

/** An InferenceService with what its plans have made, as the controller and its Deployments would leave it. */
class World {
  inference: InferenceService = {
    metadata: { name: 'm', namespace: 'ns', uid: 'u1', generation: 1 },
    spec: { predictor: {} },
  };
  deployments = new Map<string, Deployment>();
  replicaSets: ReplicaSet[] = [];
  plan!: InferencePlan;
  /** What the registry says of the model. */
  known: KnownModel | undefined;
  /** Whether pods of the first Deployment answer by the weights that they were given. */
  isStableSwapped = true;

  apply(reference: string, predictor: Partial<Predictor> = {}): this {
    const model = { modelFormat: { name: 'onnx' }, storageUri: `oci://${reference}` };
    this.inference = {
      ...this.inference,
      spec: { ...this.inference.spec, predictor: { model, ...predictor } },
    };
    return this;
  }

  /** Reconciles once; `ready` names the Deployments whose pods become ready. */
  step(...ready: string[]): this {
    const stable = this.deployments.get('m-predictor');
    this.plan = plan(
      this.inference,
      {
        stable,
        canary: this.deployments.get('m-predictor-canary'),
        isStableSwapped: this.isStableSwapped,
        previous: revisionNamed(this.predictor?.previousRolledoutRevision, stable, this.replicaSets),
      },
      { model: this.known, replicas: this.inference.spec?.predictor.minReplicas ?? 1 },
    );
    for (const each of this.plan.deployments) this.#make(each);
    for (const name of this.plan.drops) this.deployments.delete(name);
    for (const name of ready) this.#becomeReady(name);
    const status = statusOf(this.inference, {
      plan: this.plan,
      stable: this.deployments.get('m-predictor'),
      canary: this.deployments.get('m-predictor-canary'),
      transformer: this.deployments.get('m-transformer'),
      pods: [],
      nowMs: 0,
    });
    this.inference = { ...this.inference, status };
    return this;
  }

  get predictor() {
    return this.inference.status?.components?.predictor;
  }

  /** `revision=percent` of each share, the newest first. */
  get traffic(): string[] {
    return (this.predictor?.traffic ?? []).map(({ revisionName, percent }) => `${revisionName}=${percent}`);
  }

  get split(): string | undefined {
    const service = this.plan.services.find(({ metadata }) => metadata?.name === 'm-predictor');
    return service?.metadata?.annotations?.[splitAnnotation];
  }

  model(name: string): string | undefined {
    return this.deployments.get(name)?.spec?.template.spec?.volumes?.[0]?.image?.reference;
  }

  #make(wanted: Deployment): void {
    const name = wanted.metadata?.name ?? '';
    const present = this.deployments.get(name) ?? { spec: wanted.spec };
    const next = this.deployments.has(name) ? changed(present, wanted) : wanted;
    if (!next) return;
    const generation = (present.metadata?.generation ?? 0) + 1;
    this.deployments.set(name, {
      ...next,
      metadata: { ...next.metadata, generation },
      ...(present.status && { status: present.status }),
    });
    const { template } = next.spec!;
    const isSame = ({ spec }: ReplicaSet) => isDeepStrictEqual(spec?.template, template);
    this.replicaSets = this.replicaSets.filter((each) => !isSame(each));
    this.replicaSets.push({
      metadata: { annotations: next.metadata?.annotations ?? {} },
      spec: { selector: {}, template },
    });
  }

  #becomeReady(name: string): void {
    const deployment = this.deployments.get(name)!;
    const replicas = deployment.spec?.replicas ?? 1;
    this.deployments.set(name, {
      ...deployment,
      status: {
        observedGeneration: deployment.metadata!.generation!,
        replicas,
        updatedReplicas: replicas,
        availableReplicas: replicas,
        conditions: [{ type: 'Available', status: 'True' }],
      },
    });
  }
}

const stable = 'm-predictor';
const canary = 'm-predictor-canary';
const first = 'm-predictor-00001';
const second = 'm-predictor-00002';
const third = 'm-predictor-00003';

const served = () => new World().apply('m:v1').step(stable).step();
const shared = (canaryTrafficPercent: number) =>
  served().apply('m:v2', { canaryTrafficPercent }).step(canary).step();

test('the first revision has all requests, whatever the canary share', () => {
  const world = new World().apply('m:v1', { canaryTrafficPercent: 10 }).step();
  assert.deepEqual(world.traffic, [], 'nothing serves before it is ready');
  world.step(stable).step();
  assert.deepEqual(world.traffic, [`${first}=100`]);
  assert.deepEqual([...world.deployments.keys()], [stable]);
  assert.equal(world.predictor?.latestRolledoutRevision, first);
});

test('a canary gets its share when it is ready, and not before', () => {
  const world = served().apply('m:v2', { canaryTrafficPercent: 10 }).step();
  assert.equal(world.model(canary), 'm:v2');
  assert.equal(world.split, undefined);
  assert.deepEqual(world.traffic, [`${first}=100`]);
  world.step(canary).step();
  assert.deepEqual(JSON.parse(world.split ?? ''), [
    { service: stable, percent: 90 },
    { service: canary, percent: 10 },
  ]);
  assert.deepEqual(world.traffic, [`${second}=10`, `${first}=90`]);
  assert.equal(world.predictor?.latestReadyRevision, second);
  assert.equal(world.predictor?.latestRolledoutRevision, first);
  assert.equal(world.model(stable), 'm:v1');
});

test('a canary that never becomes ready takes nothing from the one that serves', () => {
  const world = served().apply('m:broken', { canaryTrafficPercent: 50 }).step().step();
  assert.equal(world.split, undefined);
  assert.deepEqual(world.traffic, [`${first}=100`]);
  assert.equal(world.predictor?.latestCreatedRevision, second);
  assert.equal(world.predictor?.latestReadyRevision, first);
  const ready = world.inference.status?.conditions?.find(({ type }) => type === 'PredictorReady');
  assert.equal(ready?.status, 'False');
});

test('a canary of 0 percent runs and is asked nothing', () => {
  const world = shared(0);
  assert.equal(world.split, undefined);
  assert.deepEqual(world.traffic, [`${second}=0`, `${first}=100`]);
  assert.ok(world.deployments.has(canary));
});

test('a promoted canary serves alone until its revision has taken the old one’s place, and then goes', () => {
  const world = shared(25).apply('m:v2').step();
  assert.deepEqual(JSON.parse(world.split ?? ''), [{ service: canary, percent: 100 }]);
  assert.equal(world.model(stable), 'm:v2');
  assert.deepEqual(world.traffic, [`${second}=100`]);
  assert.ok(world.deployments.has(canary));
  world.step(stable).step();
  assert.equal(world.split, undefined);
  assert.deepEqual([...world.deployments.keys()], [stable]);
  const { latestRolledoutRevision, previousRolledoutRevision } = world.predictor ?? {};
  assert.deepEqual([latestRolledoutRevision, previousRolledoutRevision], [second, first]);
});

test('100 percent promotes too', () => {
  const world = shared(25).apply('m:v2', { canaryTrafficPercent: 100 }).step(stable).step().step();
  assert.deepEqual(world.traffic, [`${second}=100`]);
  assert.deepEqual([...world.deployments.keys()], [stable]);
});

test('another canary in place of one gets a revision of its own, and again its share only when it is ready', () => {
  const world = shared(10).apply('m:v3', { canaryTrafficPercent: 10 }).step();
  assert.deepEqual(world.traffic, [`${first}=100`]);
  assert.equal(world.model(canary), 'm:v3');
  world.step(canary).step();
  assert.deepEqual(world.traffic, [`${third}=10`, `${first}=90`]);
});

test('a canary that was ready keeps its share while its pod is away', () => {
  const world = shared(10);
  const { status, ...rest } = world.deployments.get(canary)!;
  world.deployments.set(canary, { ...rest, status: { ...status, availableReplicas: 0 } });
  world.step();
  assert.deepEqual(world.traffic, [`${second}=10`, `${first}=90`]);
});

test('it is not ready while the revision that has the other share has no pod', () => {
  const world = shared(10);
  const ready = () =>
    world.inference.status?.conditions?.find(({ type }) => type === 'PredictorReady')?.status;
  assert.equal(ready(), 'True');
  const { status, ...rest } = world.deployments.get(stable)!;
  world.deployments.set(stable, { ...rest, status: { ...status, availableReplicas: 0 } });
  world.step();
  assert.equal(ready(), 'False');
});

test('a share of less than 100 takes a revision back that had all requests already', () => {
  const world = shared(25).apply('m:v2').step(stable).step().step();
  assert.deepEqual(world.traffic, [`${second}=100`]);
  world.apply('m:v2', { canaryTrafficPercent: 0 }).step(canary).step(stable).step();
  assert.equal(world.model(stable), 'm:v1');
  assert.equal(world.model(canary), 'm:v2');
  assert.deepEqual(world.traffic, [`${second}=0`, `${first}=100`]);
  assert.equal(world.plan.latestRevision, second);
  world.apply('m:v2').step(stable).step().step();
  assert.deepEqual(world.traffic, [`${second}=100`], 'and it may come again');
  assert.deepEqual([...world.deployments.keys()], [stable]);
});

test('without a share a new revision rolls over in place, and the old name is shown until it has', () => {
  const world = served().apply('m:v2').step();
  assert.deepEqual([...world.deployments.keys()], [stable]);
  assert.deepEqual(world.traffic, [`${first}=100`]);
  world.step(stable).step();
  assert.deepEqual(world.traffic, [`${second}=100`]);
});

test('a plan that is carried out plans the same again', () => {
  for (const world of [served(), shared(10), shared(0)]) {
    const before = world.inference.status;
    const generations = () => [...world.deployments.values()].map(({ metadata }) => metadata?.generation);
    const made = generations();
    world.step().step();
    assert.deepEqual(generations(), made);
    assert.deepEqual(world.inference.status, before);
  }
});

test('a transformer is told the predictor’s address, and gets the requests', () => {
  const world = new World().apply('m:v1');
  const containers = [{ name: 'kserve-container', image: 'my-transformer:1', args: ['--x'] }];
  world.inference = { ...world.inference, spec: { ...world.inference.spec!, transformer: { containers } } };
  world.step(stable, 'm-transformer').step();
  const [told] = world.deployments.get('m-transformer')?.spec?.template.spec?.containers ?? [];
  assert.deepEqual(told?.args, ['--x', '--model_name', 'm', '--predictor_host', 'm-predictor.ns']);
  assert.ok(told?.env?.some(({ name, value }) => name === 'PREDICTOR_HOST' && value === 'm-predictor.ns'));
  assert.equal(world.inference.status?.url, 'http://m-transformer.ns.svc.cluster.local');
  world.inference = { ...world.inference, spec: { predictor: world.inference.spec!.predictor } };
  world.step().step();
  assert.ok(!world.deployments.has('m-transformer'), 'one that is no longer asked for goes');
  assert.ok(!world.inference.status?.conditions?.some(({ type }) => type === 'TransformerReady'));
});

test('who asks for an explanation is led to the explainer, from whichever address the model has', () => {
  const world = new World().apply('m:v1');
  const containers = [{ name: 'kserve-container', image: 'mine:1' }];
  const { predictor } = world.inference.spec!;
  const spec = { predictor, transformer: { containers }, explainer: { containers } };
  world.inference = { ...world.inference, spec };
  world.step(stable, 'm-transformer').step();
  const to = '[{"suffix":":explain","service":"m-explainer"}]';
  const told = world.plan.services.map(({ metadata }) => [
    metadata?.name,
    metadata?.annotations?.[pathsAnnotation],
  ]);
  assert.deepEqual(told, [
    ['m-predictor', to],
    ['m-transformer', to],
    ['m-explainer', undefined],
  ]);
  const hosts = [stable, 'm-transformer', 'm-explainer'].map((name) => {
    const [first] = world.deployments.get(name)?.spec?.template.spec?.containers ?? [];
    return first?.env?.find(({ name }) => name === 'EXPLAINER_HOST')?.value;
  });
  assert.deepEqual(hosts, ['m-explainer.ns', 'm-explainer.ns', undefined]);
});

const known = (reference: string, graph: string): KnownModel => ({
  reference: `${reference}@sha256:${reference}`,
  digest: `sha256:${reference}`,
  graph,
  weights: `sha256:weights-of-${reference}`,
});
const annotationOf = (world: World, name: string) =>
  world.deployments.get('m-predictor')?.metadata?.annotations?.[name];

test('another model of the same graph is a revision without other pods', () => {
  const world = new World().apply('a');
  world.known = known('a', 'f');
  world.step('m-predictor');
  assert.equal(world.model('m-predictor'), 'a@sha256:a');
  const before = structuredClone(world.deployments.get('m-predictor')!.spec!.template);
  world.apply('b').known = known('b', 'f');
  world.step();
  assert.deepEqual(world.deployments.get('m-predictor')!.spec!.template, before);
  assert.equal(annotationOf(world, 'selvage.dev/model-reference'), 'b@sha256:b');
  assert.equal(annotationOf(world, 'selvage.dev/revision'), 'm-predictor-00002');
  world.known = known('c', 'g');
  world.apply('c').step('m-predictor');
  assert.equal(world.model('m-predictor'), 'c@sha256:c', 'another graph needs other pods');
});

test('weights that had all requests are taken back too: the pods get the ones before, and the canary has the newest', () => {
  const world = new World().apply('a');
  world.known = known('a', 'f');
  world.step(stable);
  world.apply('b').known = known('b', 'f');
  world.step(stable).step();
  assert.deepEqual(world.traffic, [`${second}=100`]);
  world.apply('b', { canaryTrafficPercent: 0 }).step(canary).step(stable).step();
  assert.equal(annotationOf(world, 'selvage.dev/model-reference'), 'a@sha256:a');
  assert.equal(world.model(stable), 'a@sha256:a');
  assert.equal(world.model(canary), 'b@sha256:b');
  assert.deepEqual(world.traffic, [`${second}=0`, `${first}=100`]);
});

test('a promoted canary of the same graph serves until the old pods answer by its weights, and none is started', () => {
  const world = new World().apply('a');
  world.known = known('a', 'f');
  world.step(stable);
  world.apply('b', { canaryTrafficPercent: 20 }).known = known('b', 'f');
  world.step(canary).step();
  assert.deepEqual(world.traffic, [`${second}=20`, `${first}=80`]);
  const { template } = structuredClone(world.deployments.get(stable)!.spec!);
  world.isStableSwapped = false;
  world.apply('b').step(stable).step();
  assert.deepEqual(world.deployments.get(stable)!.spec!.template, template);
  assert.equal(annotationOf(world, 'selvage.dev/model-reference'), 'b@sha256:b');
  assert.deepEqual(JSON.parse(world.split ?? ''), [{ service: canary, percent: 100 }]);
  world.isStableSwapped = true;
  world.step().step();
  assert.equal(world.split, undefined);
  assert.deepEqual([...world.deployments.keys()], [stable]);
  assert.deepEqual(world.traffic, [`${second}=100`]);
  assert.equal(annotationOf(world, 'selvage.dev/revision'), second);
});

test('the same tag with another digest is another model', () => {
  const world = new World().apply('a');
  world.known = known('a', 'f');
  world.step('m-predictor');
  world.known = { ...known('a', 'f'), reference: 'a@sha256:a2', digest: 'sha256:a2' };
  world.step('m-predictor');
  assert.equal(annotationOf(world, 'selvage.dev/model-reference'), 'a@sha256:a2');
  assert.deepEqual(world.traffic, ['m-predictor-00002=100']);
});

test('a rollout is forced by an annotation, and where the server takes no other weights', () => {
  const cases: Partial<Predictor>[] = [
    { model: { modelFormat: { name: 'onnx' }, storageUri: 'oci://b', image: 'own:1' } },
    {
      model: {
        modelFormat: { name: 'onnx' },
        storageUri: 'oci://b',
        env: [{ name: 'MODEL_WATCH_MS', value: '0' }],
      },
    },
  ];
  for (const predictor of cases) {
    const model = { ...predictor.model!, storageUri: 'oci://a' };
    const world = new World().apply('a', { model });
    world.known = known('a', 'f');
    world.step('m-predictor');
    world.known = known('b', 'f');
    world.apply('b', predictor).step('m-predictor');
    assert.equal(world.model('m-predictor'), 'b@sha256:b');
  }
  const world = new World().apply('a');
  world.known = known('a', 'f');
  world.step('m-predictor');
  world.inference.metadata!.annotations = { 'selvage.dev/force-rollout': 'true' };
  world.known = known('b', 'f');
  world.apply('b').step('m-predictor');
  assert.equal(world.model('m-predictor'), 'b@sha256:b');
});

test('pods of the present template are told of another model, once; those that go are not', () => {
  const world = new World().apply('a');
  world.known = known('a', 'f');
  world.step('m-predictor');
  const deployment = world.deployments.get('m-predictor')!;
  const { template } = deployment.spec!;
  const pod = (name: string, told?: string): Pod => ({
    metadata: {
      name,
      annotations: {
        ...template.metadata?.annotations,
        ...(told && { 'selvage.dev/model-reference': told }),
      },
    },
    spec: structuredClone(template.spec!),
  });
  const older = pod('older');
  older.spec!.volumes![0]!.image!.reference = 'old@sha256:old';
  const names = (pods: Pod[]) => outdatedPods(deployment, pods).map(({ metadata }) => metadata!.name);
  assert.deepEqual(names([pod('new'), older]), []);
  world.known = known('b', 'f');
  world.apply('b').step('m-predictor');
  Object.assign(deployment, world.deployments.get('m-predictor'));
  assert.deepEqual(names([pod('new'), pod('told', 'b@sha256:b'), older]), ['new']);
});
