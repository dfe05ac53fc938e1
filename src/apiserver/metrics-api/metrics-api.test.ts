import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { send } from '../test-request.ts';
import { startTestServer } from '../test-server.ts';

/** Two nodes, of which `n1` answers: each of its containers uses a quarter of a core, the node one and a half. */
async function startCluster(t: TestContext) {
  const server = await startTestServer({
    listens: false,
    kubelet: (node) => ({ host: '127.0.0.1', port: node.metadata!.name === 'n1' ? port : 1, ...tls }),
  });
  t.after(() => server.close());
  const client = server.issueClient('kube-apiserver-kubelet-client');
  const tls = { caPem: server.authority.caPem, certPem: client.certificatePem, keyPem: client.privateKeyPem };
  const { chainPem, privateKeyPem } = server.authority.issue({
    commonName: 'system:node:n1',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    lifetimeSeconds: 3600,
  });
  const kubelet = createServer({ cert: chainPem, key: privateKeyPem, ca: tls.caPem }, (request, response) => {
    assert.equal(request.url, '/stats/summary');
    const stats = (cores: number, workingSetBytes: number) => ({
      cpu: { usageCoreNanoSeconds: Math.round(Date.now() * 1e6 * cores) },
      memory: { workingSetBytes },
    });
    const containers = [{ name: 'main', ...stats(0.25, 64 * 1024 * 1024) }];
    const pods = ['web', 'gone'].map((name) => ({
      podRef: { name, namespace: 'default', uid: name },
      containers,
    }));
    response.end(JSON.stringify({ node: { nodeName: 'n1', ...stats(1.5, 2048) }, pods }));
  });
  await once(kubelet.listen(0, '127.0.0.1'), 'listening');
  t.after(() => kubelet.close());
  const { port } = kubelet.address() as AddressInfo;
  const transport = server.server.transport();
  for (const name of ['n1', 'n2'])
    await send(transport, 'POST /api/v1/nodes', { body: { metadata: { name } } });
  const createPod = (name: string, nodeName?: string) =>
    send(transport, 'POST /api/v1/namespaces/default/pods', {
      body: {
        metadata: { name, labels: { app: name } },
        spec: { ...(nodeName && { nodeName }), containers: [{ name: 'main', image: 'app:1' }] },
      },
    });
  await createPod('web', 'n1');
  await createPod('far', 'n2');
  await createPod('unscheduled');
  const read = (path: string) => send(transport, `GET /apis/metrics.k8s.io/v1beta1/${path}`);
  return { server, transport, read };
}

const cores = (quantity: string) => Number(/^(\d+)n$/.exec(quantity)![1]) / 1e9;

test('nodes and pods tell what they use now; what does not answer is left out', async (t) => {
  const { read } = await startCluster(t);
  const nodes = (await read('nodes')).object;
  assert.equal(nodes.kind, 'NodeMetricsList');
  assert.deepEqual(
    nodes.items!.map(({ metadata }) => metadata!.name),
    ['n1'],
  );
  const node = (await read('nodes/n1')).object;
  assert.equal(node.usage.memory, '2Ki');
  assert.ok(Math.abs(cores(node.usage.cpu) - 1.5) < 0.2, node.usage.cpu);
  assert.match(node.window, /^\d+\.\d{3}s$/);

  const pods = (await read('pods')).object;
  assert.equal(pods.kind, 'PodMetricsList');
  assert.deepEqual(
    pods.items!.map(({ metadata }) => metadata!.name),
    ['web'],
  );
  const pod = (await read('namespaces/default/pods/web')).object;
  assert.deepEqual(pod.metadata!.labels, { app: 'web' });
  assert.deepEqual(Object.keys(pod.containers[0]), ['name', 'usage']);
  assert.equal(pod.containers[0].usage.memory, '65536Ki');
  assert.ok(Math.abs(cores(pod.containers[0].usage.cpu) - 0.25) < 0.05, pod.containers[0].usage.cpu);
  assert.equal((await read('namespaces/default/pods?labelSelector=app%3Dother')).object.items!.length, 0);
  assert.equal((await read('namespaces/other/pods')).object.items!.length, 0);
});

test('metrics are part of discovery, read only, and need a right of their own', async (t) => {
  const { server, transport, read } = await startCluster(t);
  const { object } = await send(transport, 'GET /apis/metrics.k8s.io/v1beta1');
  assert.deepEqual(
    object.resources.map((each: { name: string; kind: string }) => `${each.name} ${each.kind}`),
    ['nodes NodeMetrics', 'pods PodMetrics'],
  );
  const codes = async (...answers: Promise<{ code: number }>[]) =>
    (await Promise.all(answers)).map(({ code }) => code);
  const remove = send(transport, 'DELETE /apis/metrics.k8s.io/v1beta1/nodes/n1');
  assert.deepEqual(
    await codes(read('namespaces/default/pods/far'), read('services'), remove),
    [404, 404, 405],
  );
  const jane = server.server.transport({ name: 'jane', groups: ['system:authenticated'] });
  const refused = await send(jane, 'GET /apis/metrics.k8s.io/v1beta1/nodes');
  assert.equal(refused.code, 403);
  assert.match(refused.object.message, /cannot list resource "nodes" in API group "metrics.k8s.io"/);
});
