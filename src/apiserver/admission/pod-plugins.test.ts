import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { mergePatch, pod, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

let running: TestServer;
let api: Transport;

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
});
after(() => running.close());

/** A namespace of its own; answers the path of what is in it. */
async function namespace(name: string): Promise<string> {
  await send(api, 'POST /api/v1/namespaces', { body: { metadata: { name } } });
  return `/api/v1/namespaces/${name}`;
}

async function post(path: string, body: object): Promise<string | undefined> {
  const { code, object } = await send(api, `POST ${path}`, { body });
  return code < 300 ? undefined : object.message;
}

const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
const inDefault = '/api/v1/namespaces/default';

test('a pod gets the priority of its class, and may not name another', async () => {
  await send(api, `POST ${classes}`, {
    body: { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' },
  });
  const made = await send(api, `POST ${inDefault}/pods`, {
    body: pod('high', { priorityClassName: 'high' }),
  });
  assert.deepEqual([made.object.spec.priority, made.object.spec.preemptionPolicy], [1000, 'Never']);
  const plain = await send(api, `POST ${inDefault}/pods`, { body: pod('plain') });
  assert.deepEqual(
    [plain.object.spec.priority, plain.object.spec.preemptionPolicy],
    [0, 'PreemptLowerPriority'],
  );
  const system = await send(api, `POST ${inDefault}/pods`, {
    body: pod('system', { priorityClassName: 'system-node-critical' }),
  });
  assert.equal(system.object.spec.priority, 2000001000);
  const wrong: [object, string][] = [
    [{ priorityClassName: 'none' }, 'no PriorityClass with name none was found'],
    [
      { priority: 7 },
      'the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
    ],
  ];
  for (const [spec, why] of wrong) {
    assert.equal(await post(`${inDefault}/pods`, pod('wrong', spec)), `pods "wrong" is forbidden: ${why}`);
  }
});

test('a new pod begins with the model that its Deployment serves by now', async () => {
  const template = { metadata: { labels: { app: 'm' } }, spec: { containers: [{ name: 'a', image: 'a' }] } };
  const annotations = { 'selvage.dev/model-reference': 'models/m:v2' };
  await send(api, 'POST /apis/apps/v1/namespaces/default/deployments', {
    body: {
      metadata: { name: 'm-predictor', annotations },
      spec: { replicas: 0, selector: { matchLabels: { app: 'm' } }, template },
    },
  });
  const begun = async (name: string, told: object) => {
    const body = { ...pod(name), metadata: { name, annotations: told } };
    const { object } = await send(api, `POST ${inDefault}/pods`, { body });
    return object.metadata!.annotations!['selvage.dev/model-reference'];
  };
  assert.equal(await begun('m-1', { 'selvage.dev/model-of': 'm-predictor' }), 'models/m:v2');
  assert.equal(await begun('m-2', { 'selvage.dev/model-of': 'none' }), undefined);
  const own = { 'selvage.dev/model-reference': 'models/m:v1' };
  assert.equal(await begun('m-3', { ...own, 'selvage.dev/model-of': 'm-predictor' }), 'models/m:v1');
});

test('one class is the default, and the system’s own stay', async () => {
  await send(api, `POST ${classes}`, {
    body: { metadata: { name: 'usual' }, value: 10, globalDefault: true },
  });
  assert.equal(
    await post(classes, { metadata: { name: 'second' }, value: 11, globalDefault: true }),
    'priorityclasses.scheduling.k8s.io "second" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
  );
  const made = await send(api, `POST ${inDefault}/pods`, { body: pod('usual') });
  assert.deepEqual([made.object.spec.priorityClassName, made.object.spec.priority], ['usual', 10]);
  assert.equal((await send(api, `DELETE ${classes}/usual`)).code, 200);
  const { object } = await send(api, `DELETE ${classes}/system-node-critical`);
  assert.match(String(object.message), /this is a system priority class and cannot be deleted$/);
  assert.equal(
    await post(classes, { metadata: { name: 'huge' }, value: 2000000000 }),
    'PriorityClass.scheduling.k8s.io "huge" is invalid: value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
  );
});

test('a pod tolerates the loss of its node for five minutes, unless it says otherwise', async () => {
  const own = {
    key: 'node.kubernetes.io/not-ready',
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 5,
  };
  const made = await send(api, `POST ${inDefault}/pods`, { body: pod('tolerant', { tolerations: [own] }) });
  assert.deepEqual(made.object.spec.tolerations, [
    own,
    {
      key: 'node.kubernetes.io/unreachable',
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    },
  ]);
});

test('a limit range gives defaults to containers and says so', async () => {
  const at = await namespace('defaults');
  const limits = [
    { type: 'Container', default: { memory: '512Mi' }, defaultRequest: { memory: '256Mi', cpu: '100m' } },
  ];
  assert.equal(await post(`${at}/limitranges`, { metadata: { name: 'range' }, spec: { limits } }), undefined);
  const { object } = await send(api, `POST ${at}/pods`, { body: pod('one') });
  assert.deepEqual(object.spec.containers[0].resources, {
    requests: { memory: '256Mi', cpu: '100m' },
    limits: { memory: '512Mi' },
  });
  assert.equal(
    object.metadata!.annotations!['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu, memory request for container main; memory limit for container main',
  );
  assert.equal(object.status.qosClass, 'Burstable');
});

test('a limit range refuses what is outside of its bounds, in Kubernetes’ words', async () => {
  const at = await namespace('bounds');
  const limits = [
    { type: 'Container', min: { cpu: '200m' }, max: { cpu: '800m' }, maxLimitRequestRatio: { cpu: '2' } },
    { type: 'Pod', max: { cpu: '1' } },
    { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
  ];
  await send(api, `POST ${at}/limitranges`, { body: { metadata: { name: 'range' }, spec: { limits } } });
  const cpu = (request: string, limit: string) => ({
    containers: [
      { name: 'main', image: 'app:1', resources: { requests: { cpu: request }, limits: { cpu: limit } } },
    ],
  });
  const table: [object, string | undefined][] = [
    [cpu('500m', '800m'), undefined],
    [
      cpu('500m', '1500m'),
      '[maximum cpu usage per Container is 800m, but limit is 1500m, cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000, maximum cpu usage per Pod is 1, but limit is 1500m]',
    ],
    [cpu('100m', '200m'), 'minimum cpu usage per Container is 200m, but request is 100m'],
    [
      cpu('200m', '800m'),
      'cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000',
    ],
  ];
  for (const [index, [spec, why]] of table.entries()) {
    const name = `pod-${index}`;
    assert.equal(await post(`${at}/pods`, pod(name, spec)), why && `pods "${name}" is forbidden: ${why}`);
  }
  const claim = (storage: string) => ({
    metadata: { name: 'claim' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
  });
  assert.equal(
    await post(`${at}/persistentvolumeclaims`, claim('3Gi')),
    'persistentvolumeclaims "claim" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
  );
  assert.equal(
    await post(`${at}/persistentvolumeclaims`, claim('500Mi')),
    'persistentvolumeclaims "claim" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi',
  );
});

test('an update without a priority keeps it', async () => {
  const path = `${inDefault}/pods/high`;
  const { code, object } = await mergePatch(api, path, {
    metadata: { labels: { a: 'b' } },
    spec: { priority: null, preemptionPolicy: null },
  });
  assert.equal(code, 200, object.message);
  assert.equal(object.spec.priority, 1000);
});
