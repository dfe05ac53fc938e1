import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KubeObject } from '../../api/object.ts';
import { mergePatch, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import type { User } from '../user.ts';
import { mayTrainerUse } from './trainer-authorizer.ts';

const learning = '/apis/learning.selvage.dev/v1alpha1/namespaces/default/trainingjobs';
const serving = '/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices';
let running: TestServer;
let trainer: User;
const as = (user?: User) => running.server.transport(user);

before(async () => {
  running = await startTestServer({ listens: false });
  for (const name of ['mine', 'other']) {
    const predictor = {
      model: { modelFormat: { name: 'onnx' }, storageUri: `oci://models/${name}-serving:v1` },
    };
    await make(serving, 'InferenceService', 'serving.kserve.io/v1beta1', name, { spec: { predictor } });
    const spec = {
      dataset: { generated: {} },
      model: { module: { image: 'net:1' } },
      loss: { name: 'sparseCategoricalCrossentropy' },
      output: `models/${name}:v1`,
      promote: { inferenceService: name },
    };
    await make(learning, 'TrainingJob', 'learning.selvage.dev/v1alpha1', name, { spec });
  }
  trainer = await trainerOf('mine');
});
after(() => running.close());

async function make(
  path: string,
  kind: string,
  apiVersion: string,
  name: string,
  more: object,
): Promise<KubeObject> {
  const { code, object } = await send(as(), `POST ${path}`, {
    body: { kind, apiVersion, metadata: { name }, ...more },
  });
  assert.equal(code, 201, JSON.stringify(object));
  return object;
}

/** The user that the token of a pod of this job's Job stands for. */
async function trainerOf(job: string): Promise<User> {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a:1' }] } };
  const own = (kind: string, apiVersion: string, { metadata }: KubeObject) => ({
    name: metadata!.name,
    ownerReferences: [{ kind, apiVersion, name: metadata!.name, uid: metadata!.uid, controller: true }],
  });
  const { object: training } = await send(as(), `GET ${learning}/${job}`);
  const { object: batch } = await send(as(), 'POST /apis/batch/v1/namespaces/default/jobs', {
    body: { metadata: own('TrainingJob', 'learning.selvage.dev/v1alpha1', training), spec: { template } },
  });
  const { object: pod } = await send(as(), 'POST /api/v1/namespaces/default/pods', {
    body: { metadata: own('Job', 'batch/v1', batch), ...template },
  });
  return userOf(pod.metadata!.name!, pod.metadata!.uid!);
}

const userOf = (name: string, uid: string): User => ({
  name: 'system:serviceaccount:default:default',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  extra: {
    'authentication.kubernetes.io/pod-name': [name],
    'authentication.kubernetes.io/pod-uid': [uid],
  },
});

test('a trainer reads its own job and the service it may promote to, and no others', async () => {
  const codeOf = async (path: string, user: User = trainer) => (await send(as(user), `GET ${path}`)).code;
  assert.equal(await codeOf(`${learning}/mine`), 200);
  assert.equal(await codeOf(`${serving}/mine`), 200);
  assert.equal(await codeOf(`${learning}/other`), 403);
  assert.equal(await codeOf(`${serving}/other`), 403);
  assert.equal(await codeOf(learning), 403);
  assert.equal(await codeOf('/api/v1/namespaces/default/secrets'), 403);
  assert.equal(await codeOf(`${learning}/mine`, userOf('mine', 'another-uid')), 403, 'a pod that is gone');
  assert.equal(await codeOf(`${learning}/mine`, { ...trainer, extra: {} }), 403, 'a token of no pod');
});

test('a pod of the job itself, as the clients of a federated training are, is no trainer', async () => {
  const { object: training } = await send(as(), `GET ${learning}/mine`);
  const { name, uid } = training.metadata!;
  const owner = {
    kind: 'TrainingJob',
    apiVersion: 'learning.selvage.dev/v1alpha1',
    name,
    uid,
    controller: true,
  };
  const { object: pod } = await send(as(), 'POST /api/v1/namespaces/default/pods', {
    body: {
      metadata: { name: 'mine-client-edge', ownerReferences: [owner] },
      spec: { containers: [{ name: 'a', image: 'a:1' }] },
    },
  });
  const client = userOf(pod.metadata!.name!, pod.metadata!.uid!);
  assert.equal((await send(as(client), `GET ${learning}/mine`)).code, 403);
});

test('it tells progress and result, and nothing that is not its to say', async () => {
  const told = async (body: object, path = `${learning}/mine/status`) =>
    (await mergePatch(as(trainer), path, body)).code;
  assert.equal(await told({ status: { progress: { epoch: 1 } } }), 200);
  assert.equal(await told({ status: { conditions: [] } }), 403);
  assert.equal(await told({ status: { progress: { epoch: 2 } }, metadata: { labels: { a: 'b' } } }), 403);
  assert.equal(await told({ status: { progress: {} } }, `${learning}/other/status`), 403);
  assert.equal(await told({ spec: { suspend: true } }, `${learning}/mine`), 403);
});

test('in the registry it pushes what was asked for and reads what it is compared with', () => {
  const may = (action: string, repository: string) =>
    mayTrainerUse(running.store, trainer, { action, repository });
  assert.deepEqual([may('push', 'models/mine'), may('pull', 'models/mine')], [true, true]);
  assert.deepEqual([may('pull', 'models/mine-serving'), may('push', 'models/mine-serving')], [true, false]);
  assert.deepEqual([may('push', 'models/other'), may('pull', 'models/other-serving')], [false, false]);
  assert.deepEqual([may('delete', 'models/mine'), may('push', 'my-app')], [false, false]);
  assert.equal(
    mayTrainerUse(running.store, userOf('absent', 'x'), { action: 'pull', repository: 'models/mine' }),
    false,
  );
});
