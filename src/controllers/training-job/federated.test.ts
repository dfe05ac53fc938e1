import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../api/kinds/node.ts';
import type { TrainingJob } from '../../api/kinds/trainingJob.ts';
import {
  clientPodFor,
  coordinatorJobFor,
  coordinatorServiceFor,
  nodeOfClient,
  nodesWithData,
  tokenSecretFor,
} from './federated.ts';

const training: TrainingJob = {
  metadata: { name: 'mine', namespace: 'plant', uid: 'u1' },
  spec: {
    dataset: { npz: { path: 'a.npz' }, volume: { hostPath: { path: '/data' } } },
    model: { module: { image: 'net:1' } },
    loss: { name: 'huber' },
    nodeSelector: { data: 'here' },
    resources: { requests: { cpu: '2' } },
    federated: { rounds: 3 },
  },
};

function node(name: string, more: { labels?: Record<string, string>; taints?: object[] } = {}): Node {
  const { labels = { data: 'here' }, taints } = more;
  return { metadata: { name, labels }, spec: { ...(taints && { taints }) } } as Node;
}

const envOf = (env: { name: string; value?: string }[] | undefined, name: string) =>
  env?.find((each) => each.name === name);

test('the coordinator sees no data, keeps its rounds on the claim, and alone has the key', () => {
  const { spec } = coordinatorJobFor(training, 4);
  const pod = spec!.template.spec!;
  const [container] = pod.containers;
  assert.equal(container!.image, 'selvage.dev/builtin/federated-coordinator');
  assert.equal(pod.nodeSelector, undefined);
  const [preferred] = pod.affinity!.nodeAffinity!.preferredDuringSchedulingIgnoredDuringExecution!;
  assert.deepEqual(preferred!.preference.matchExpressions, [
    { key: 'data', operator: 'NotIn', values: ['here'] },
  ]);
  assert.equal(container!.resources, undefined);
  assert.deepEqual(
    container!.volumeMounts?.map(({ name }) => name),
    ['checkpoints', 'work', 'module'],
  );
  assert.equal(envOf(container!.env, 'FEDERATED_CLIENTS')?.value, '4');
  const labels = spec!.template.metadata!.labels!;
  const { selector, ports } = coordinatorServiceFor(training).spec!;
  assert.deepEqual(selector, labels);
  assert.deepEqual(ports?.[0]?.targetPort, 8080);
});

test('a client is bound to its node, sees the data there, and has neither checkpoints nor an API token', () => {
  const pod = clientPodFor(training, { node: 'edge-1', index: 2, count: 3 });
  assert.equal(nodeOfClient(pod), 'edge-1');
  const { containers, automountServiceAccountToken, restartPolicy, tolerations } = pod.spec!;
  const [container] = containers;
  assert.equal(automountServiceAccountToken, false);
  assert.equal(restartPolicy, 'OnFailure');
  assert.deepEqual(
    container!.volumeMounts?.map(({ name }) => name),
    ['work', 'data', 'module'],
  );
  assert.equal(envOf(container!.env, 'FEDERATED_COORDINATOR')?.value, 'http://mine-coordinator.plant');
  assert.equal(envOf(container!.env, 'FEDERATED_PLACE')?.value, '2/3');
  assert.equal(envOf(container!.env, 'FEDERATED_KEY'), undefined);
  const secret = tokenSecretFor(training, 'edge-1', 'its token');
  assert.equal(secret.metadata?.name, pod.metadata?.name);
  assert.ok(tolerations?.some(({ key }) => key === 'node.kubernetes.io/unreachable'));
  assert.deepEqual(pod.metadata?.ownerReferences?.[0]?.uid, 'u1');
});

test('names of long nodes stay names, each of its own', () => {
  const nameOn = (name: string) => clientPodFor(training, { node: name, index: 1, count: 1 }).metadata!.name!;
  const [one, other] = [nameOn(`${'a'.repeat(250)}.x`), nameOn(`${'a'.repeat(250)}.y`)];
  assert.ok(one.length <= 253 && one !== other);
});

test('clients go to the nodes that have the labels and let pods in', () => {
  const nodes = [
    node('b'),
    node('a'),
    node('other', { labels: {} }),
    node('kept', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }),
    node('away', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] }),
  ];
  assert.deepEqual(nodesWithData(training, nodes), ['a', 'away', 'b']);
  const tolerations = [{ key: 'gpu', operator: 'Exists' as const }];
  const tolerant = { ...training, spec: { ...training.spec, tolerations } };
  assert.deepEqual(nodesWithData(tolerant, nodes), ['a', 'away', 'b', 'kept']);
});
