import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import type { TrainingJob, TrainingJobStatus } from '../../api/kinds/trainingJob.ts';
import { remainingMs, statusOf } from './plan.ts';
import { claimFor, jobFor } from './pod.ts';
import { decidePromotion, promotionPatch } from './promotion.ts';

const nowMs = Date.parse('2026-01-01T00:10:00Z');

function training(more: Partial<TrainingJob['spec']> = {}, status: TrainingJobStatus = {}): TrainingJob {
  return {
    metadata: { name: 'mine', namespace: 'default', uid: 'u1', generation: 2 },
    spec: {
      dataset: { npz: { path: 'a.npz' }, volume: { persistentVolumeClaim: { claimName: 'photos' } } },
      model: { module: { image: 'net:1' } },
      loss: { name: 'sparseCategoricalCrossentropy' },
      ...more,
    },
    status,
  };
}

const jobWith = (type: string, reason = '', message = ''): Job => ({
  metadata: { name: 'mine', uid: 'j1' },
  status: { conditions: [{ type, status: 'True', reason, message }] },
});

const observe = (it: TrainingJob, more: Partial<Parameters<typeof statusOf>[0]> = {}) =>
  statusOf({
    training: it,
    job: undefined,
    pods: [],
    promotion: undefined,
    problem: undefined,
    nowMs,
    ...more,
  });

const typesOf = (status: TrainingJobStatus) =>
  (status.conditions ?? []).map(({ type, status: is, reason }) => `${type} ${is} ${reason}`);

test('the pod sees data, network and checkpoints, is told its job, and nothing that may still change', () => {
  const { spec } = jobFor(training({ nodeSelector: { site: 'a' }, suspend: true, backoffLimit: 2 }));
  assert.deepEqual([spec?.suspend, spec?.backoffLimit], [true, 2]);
  const pod = spec!.template.spec!;
  const [trainer] = pod.containers;
  assert.deepEqual(pod.nodeSelector, { site: 'a' });
  assert.deepEqual(
    trainer!.volumeMounts?.map(({ name, mountPath }) => `${name} ${mountPath}`),
    ['checkpoints /mnt/checkpoints', 'work /mnt/work', 'data /mnt/data', 'module /mnt/module'],
  );
  assert.deepEqual(pod.volumes?.[0]?.persistentVolumeClaim, { claimName: 'mine-checkpoints' });
  assert.deepEqual(pod.volumes?.[3]?.image, { reference: 'net:1' });
  const told = JSON.parse(trainer!.env![0]!.value!);
  assert.deepEqual(Object.keys(told.spec), ['dataset', 'model', 'loss', 'nodeSelector']);
  assert.equal(told.uid, 'u1');
});

test('what the environment would expand reaches the trainer as it was written', () => {
  const { spec } = jobFor(training({ dataset: { npz: { path: '$(HOME)/$x.npz' } } }));
  assert.match(spec!.template.spec!.containers[0]!.env![0]!.value!, /\$\$\(HOME\)\/\$\$x\.npz/);
});

test('checkpoints get a claim of their own, which goes with the job, unless one is named', () => {
  const claim = claimFor(training({ checkpoint: { storage: '5Gi', storageClassName: 'fast' } }))!;
  assert.deepEqual(claim.spec?.resources?.requests, { storage: '5Gi' });
  assert.equal(claim.spec?.storageClassName, 'fast');
  assert.equal(claim.metadata?.ownerReferences?.[0]?.uid, 'u1');
  assert.equal(claimFor(training({ checkpoint: { claimName: 'mine' } })), undefined);
});

test('it is complete when its Job is and its result has arrived, and its own words stay', () => {
  const status = { progress: { epoch: 3, epochs: 3 } };
  const early = observe(training({}, status), { job: jobWith('Complete') });
  assert.deepEqual([typesOf(early.status), early.events], [[], []]);
  const result = { image: 'models/mine@sha256:1', metrics: { accuracy: 0.5 } };
  const said = observe(training({}, { ...status, result }), { job: jobWith('Complete') });
  assert.deepEqual(typesOf(said.status), ['Complete True TrainingCompleted']);
  assert.deepEqual(said.status.progress, status.progress);
  assert.deepEqual(
    said.events.map(({ message }) => message),
    ['Trained, pushed as models/mine@sha256:1: accuracy 0.5000'],
  );
  const again = observe(training({}, said.status), { job: jobWith('Complete') });
  assert.deepEqual([again.status, again.events], [said.status, []]);
});

test('it fails as its Job does, with the last words of the pod that failed last', () => {
  const ended = (finishedAt: string, message: string): Pod => ({
    status: {
      containerStatuses: [
        {
          name: 'trainer',
          image: '',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode: 1, finishedAt, message } },
        },
      ],
    },
  });
  const pods = [ended('2026-01-01T00:01:00Z', 'first'), ended('2026-01-01T00:05:00Z', 'no space left')];
  const limit = jobWith('Failed', 'BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  const { status } = observe(training(), { job: limit, pods });
  assert.deepEqual(typesOf(status), ['Failed True BackoffLimitExceeded']);
  assert.equal(status.conditions![0]!.message, 'Job has reached the specified backoff limit: no space left');
  const hopeless = observe(training(), { job: jobWith('Failed', 'PodFailurePolicy', 'exit code 3'), pods });
  assert.equal(hopeless.status.conditions![0]!.message, 'no space left');
  assert.deepEqual(typesOf(hopeless.status), ['Failed True InvalidTraining']);
});

test('suspending and resuming show as of a Job', () => {
  const suspended = observe(training({ suspend: true }), { job: jobWith('Suspended') });
  assert.deepEqual(typesOf(suspended.status), ['Suspended True JobSuspended']);
  const resumed = observe(training({}, suspended.status), { job: { status: {} } });
  assert.deepEqual(typesOf(resumed.status), ['Suspended False JobResumed']);
  assert.deepEqual(
    [...suspended.events, ...resumed.events].map(({ reason }) => reason),
    ['Suspended', 'Resumed'],
  );
});

test('a finished training is kept as long as it was asked for', () => {
  const conditions = [
    { type: 'Complete', status: 'True' as const, lastTransitionTime: '2026-01-01T00:09:00Z' },
  ];
  const left = (ttlSecondsAfterFinished?: number) =>
    remainingMs(
      training(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }, { conditions }),
      nowMs,
    );
  assert.deepEqual([left(), left(90), left(30)], [undefined, 30_000, 0]);
  assert.equal(remainingMs(training({ ttlSecondsAfterFinished: 0 }), nowMs), undefined);
});

const service = (storageUri: string) => ({
  spec: { predictor: { model: { modelFormat: { name: 'onnx' }, storageUri } } },
});
const measured = (metric: string, ours: number, theirs: number) =>
  training(
    { promote: { inferenceService: 'mine', metric: metric as 'accuracy' }, output: 'models/mine:v2' },
    {
      result: {
        image: 'models/mine@sha256:2',
        metrics: { [metric]: ours },
        serving: { image: 'oci://models/mine:v1', metrics: { [metric]: theirs } },
      },
    },
  );
const verdict = (it: TrainingJob, uri = 'oci://models/mine:v1') => decidePromotion(it, service(uri))?.reason;

test('the better model by the metric is promoted, of errors the smaller', () => {
  assert.equal(verdict(measured('accuracy', 0.6, 0.5)), 'Better');
  assert.equal(verdict(measured('accuracy', 0.5, 0.5)), 'NotBetter');
  assert.equal(verdict(measured('mae', 0.6, 0.5)), 'NotBetter');
  assert.equal(verdict(measured('mae', 0.4, 0.5)), 'Better');
  const asking = measured('accuracy', 0.6, 0.5);
  asking.spec.promote!.minDelta = 0.2;
  assert.equal(verdict(asking), 'NotBetter');
});

test('nothing is promoted that was not compared with what is in service now', () => {
  const it = measured('accuracy', 0.6, 0.5);
  assert.equal(verdict(it, 'oci://models/other:v9'), 'NotComparable');
  assert.equal(decidePromotion(it, undefined)?.reason, 'NotFound');
  assert.equal(verdict(it, 'oci://models/mine@sha256:2'), 'Better', 'done already');
  it.status!.result!.serving = { image: 'oci://models/mine:v1', problem: 'it takes [-1, 8]' };
  const refused = decidePromotion(it, service('oci://models/mine:v1'));
  assert.equal(refused?.message, "the model in service can't be measured: it takes [-1, 8]");
  assert.equal(decidePromotion(training(), service('x')), undefined, 'nobody asked');
});

test('a promotion sets the model, and the share of a canary', () => {
  const it = measured('accuracy', 1, 0);
  assert.deepEqual(promotionPatch(it, 'oci://m'), {
    spec: { predictor: { canaryTrafficPercent: null, model: { storageUri: 'oci://m' } } },
  });
  it.spec.promote!.canaryTrafficPercent = 10;
  assert.match(JSON.stringify(promotionPatch(it, 'oci://m')), /"canaryTrafficPercent":10/);
});
