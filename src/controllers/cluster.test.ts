import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  type CertificateSigningRequest,
  certificateSigningRequest as requestKind,
} from '../api/kinds/certificateSigningRequest.ts';
import { configMap as configMapKind } from '../api/kinds/configMap.ts';
import { deployment as deploymentKind } from '../api/kinds/deployment.ts';
import { event as eventKind } from '../api/kinds/event.ts';
import { inferenceService as inferenceServiceKind } from '../api/kinds/inferenceService.ts';
import { lease as leaseKind } from '../api/kinds/lease.ts';
import { namespace as namespaceKind } from '../api/kinds/namespace.ts';
import { node as nodeKind } from '../api/kinds/node.ts';
import { pod as podKind } from '../api/kinds/pod.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import { serviceAccount as serviceAccountKind } from '../api/kinds/serviceAccount.ts';
import { toMicroTime } from '../base/clock.ts';
import { until } from '../base/until.ts';
import { createClient } from '../client/create-client.ts';
import { createRequest } from '../identity/csr.ts';
import type { CertificateNames } from '../identity/names.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
});
after(() => cluster.close());

test('every node gets its own pod subnet, and its conditions leave no taints', async () => {
  const subnets = await until('subnets', async () => {
    const { items } = await cluster.client.list(nodeKind);
    const found = items.map(({ spec }) => spec?.podCIDR);
    return found.every(Boolean) && found;
  });
  assert.deepEqual(subnets.sort(), ['10.42.0.0/24', '10.42.1.0/24']);
  for (const { spec } of (await cluster.client.list(nodeKind)).items)
    assert.deepEqual(spec?.taints ?? [], []);
  await until('the names of the nodes that are known', async () => {
    const { items } = await cluster.client.list(eventKind, { namespace: 'default' });
    const known = items.filter(({ reason }) => reason === 'RegisteredNode').map(({ message }) => message);
    return known.sort()[1] === 'Node n2 event: Registered Node n2 in Controller';
  });
});

test('a new namespace has a service account and the authority, and is emptied before it goes', async () => {
  await cluster.client.create(namespaceKind, { metadata: { name: 'team' } });
  await until('the account', () => find(cluster.client, serviceAccountKind, 'default', 'team'));
  const authority = await until('the authority', () =>
    find(cluster.client, configMapKind, 'kube-root-ca.crt', 'team'),
  );
  assert.equal(authority.data?.['ca.crt'], cluster.api.authority.caPem);
  const labels = { app: 'web' };
  await cluster.client.create(deploymentKind, {
    metadata: { name: 'web', namespace: 'team' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'app:1' }] } },
    },
  });
  await until(
    'pods',
    async () => (await cluster.client.list(podKind, { namespace: 'team' })).items.length === 2,
  );
  await cluster.client.delete(namespaceKind, { name: 'team' });
  await until('the namespace is gone', async () => !(await find(cluster.client, namespaceKind, 'team')));
  assert.equal((await cluster.client.list(podKind, { namespace: 'team' })).items.length, 0);
});

test('a namespace that cannot be emptied says what keeps it', async () => {
  await cluster.client.create(namespaceKind, { metadata: { name: 'kept' } });
  const key = { namespace: 'kept', name: 'held' };
  await cluster.client.create(configMapKind, { metadata: { ...key, finalizers: ['example.com/hold'] } });
  await cluster.client.delete(namespaceKind, { name: 'kept' });
  const conditions = await until('the conditions', async () => {
    const found = await find(cluster.client, namespaceKind, 'kept');
    const { conditions = [] } = found?.status ?? {};
    const isTold = conditions.some(({ message }) =>
      message?.includes('configmaps. has 1 resource instances'),
    );
    return isTold && conditions;
  });
  const reasons = conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
  assert.deepEqual(reasons, [
    'NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered',
    'NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions',
    'NamespaceDeletionContentFailure=False ContentDeleted',
    'NamespaceContentRemaining=True SomeResourcesRemain',
    'NamespaceFinalizersRemaining=True SomeFinalizersRemain',
  ]);
  await cluster.client.patch(configMapKind, key, { type: 'merge', body: { metadata: { finalizers: null } } });
  await until('the namespace is gone', async () => !(await find(cluster.client, namespaceKind, 'kept')));
});

test('the authority comes back when someone deletes it', async () => {
  const name = 'kube-root-ca.crt';
  await until('the authority', () => find(cluster.client, configMapKind, name));
  await cluster.client.delete(configMapKind, { namespace: 'default', name });
  await until('the authority again', () => find(cluster.client, configMapKind, name));
});

test('a pod that fits nowhere says why, and is scheduled when a node comes that fits', async () => {
  await cluster.client.create(podKind, {
    metadata: { name: 'picky', namespace: 'default' },
    spec: { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'main', image: 'app:1' }] },
  });
  const waiting = await until('the condition', async () => {
    const found = await find(cluster.client, podKind, 'picky');
    return (
      found?.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False') &&
      found
    );
  });
  const why =
    "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. " +
    'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
  assert.equal(waiting.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message, why);
  await until('the event', async () => {
    const { items } = await cluster.client.list(eventKind, { namespace: 'default' });
    return items.some(({ reason, message }) => reason === 'FailedScheduling' && message === why);
  });
  await cluster.addNode('n3', { disk: 'ssd' });
  const bound = await until('the binding', async () => {
    const found = await find(cluster.client, podKind, 'picky');
    return found?.spec?.nodeName !== undefined && found;
  });
  assert.equal(bound.spec?.nodeName, 'n3');
});

async function ask(
  user: { name: string; groups: string[] },
  signerName: string,
  names: CertificateNames,
  annotations: Record<string, string> = {},
): Promise<CertificateSigningRequest> {
  const client = createClient(cluster.api.server.transport(user));
  const { csrPem } = createRequest(names);
  const usages = ['digital signature', 'client auth'];
  const { metadata } = await client.create(requestKind, {
    metadata: { generateName: 'csr-', annotations },
    spec: { request: Buffer.from(csrPem).toString('base64'), signerName, usages },
  });
  return until('an answer', async () => {
    const found = await find(cluster.client, requestKind, metadata?.name ?? '');
    const isDenied = found?.status?.conditions?.some(({ type }) => type === 'Denied');
    return (isDenied || found?.status?.certificate !== undefined) && found;
  });
}

const certificateOf = ({ status }: CertificateSigningRequest) =>
  new X509Certificate(Buffer.from(status!.certificate!, 'base64'));
const refusalOf = ({ status }: CertificateSigningRequest) =>
  status?.conditions?.find(({ type }) => type === 'Denied')?.message ?? '';

const joining = {
  name: 'system:bootstrap:selvage',
  groups: ['system:bootstrappers', 'system:authenticated'],
};
const nodeUser = (name: string) => ({
  name: `system:node:${name}`,
  groups: ['system:nodes', 'system:authenticated'],
});
const nodeNames = (name: string) => ({ commonName: `system:node:${name}`, organizations: ['system:nodes'] });
const clientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';

test('a joining machine gets the certificate of its node, and a node renews only its own', async () => {
  const certificate = certificateOf(await ask(joining, clientSigner, nodeNames('edge-a')));
  assert.match(certificate.subject, /O=system:nodes\s+CN=system:node:edge-a/);
  assert.equal(certificate.subjectAltName, 'URI:spiffe://cluster.local/node/edge-a');
  assert.ok(certificate.verify(new X509Certificate(cluster.api.authority.caPem).publicKey));
  certificateOf(await ask(nodeUser('edge-a'), clientSigner, nodeNames('edge-a')));
  assert.match(refusalOf(await ask(nodeUser('edge-a'), clientSigner, nodeNames('edge-b'))), /may not ask/);
  const masters = { commonName: 'system:node:edge-a', organizations: ['system:masters'] };
  assert.match(
    refusalOf(await ask(joining, clientSigner, masters)),
    /organization must be system:nodes alone/,
  );
});

test('a node gets a serving certificate for itself; a joining machine does not', async () => {
  const names = { ...nodeNames('n1'), dnsNames: ['n1'], ipAddresses: ['127.0.0.1'] };
  const certificate = certificateOf(await ask(nodeUser('n1'), 'kubernetes.io/kubelet-serving', names));
  assert.equal(certificate.subjectAltName, 'DNS:n1, IP Address:127.0.0.1');
  assert.match(refusalOf(await ask(joining, 'kubernetes.io/kubelet-serving', names)), /may not ask/);
});

test('a node gets the identity of a pod that is bound to it, and of no other', async () => {
  const { metadata, spec } = await cluster.client.create(podKind, {
    metadata: { name: 'mine', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'app:1' }], nodeName: 'n1' },
  });
  assert.equal(spec?.serviceAccountName, 'default');
  const annotations = {
    'selvage.dev/pod-namespace': 'default',
    'selvage.dev/pod-name': 'mine',
    'selvage.dev/pod-uid': metadata?.uid ?? '',
  };
  const uri = 'spiffe://cluster.local/ns/default/sa/default';
  const names = { commonName: 'mine', uris: [uri] };
  const certificate = certificateOf(await ask(nodeUser('n1'), 'selvage.dev/workload', names, annotations));
  assert.equal(certificate.subjectAltName, `URI:${uri}`);
  assert.ok(certificate.checkIssued(new X509Certificate(cluster.api.authority.caPem)));
  assert.ok(!/CN=mine/.test(certificate.subject));
  const refused = await ask(nodeUser('n2'), 'selvage.dev/workload', names, annotations);
  assert.match(refusalOf(refused), /pod "default\/mine" is not bound to node "n2"/);
  const other = { ...names, uris: ['spiffe://cluster.local/ns/kube-system/sa/admin'] };
  assert.match(
    refusalOf(await ask(nodeUser('n1'), 'selvage.dev/workload', other, annotations)),
    /one URI name/,
  );
});

test('an InferenceService becomes a Deployment and a Service, and says when it serves', async () => {
  await cluster.client.create(inferenceServiceKind, {
    metadata: { name: 'cifar', namespace: 'default' },
    spec: {
      predictor: {
        minReplicas: 2,
        nodeSelector: { 'kubernetes.io/os': 'linux' },
        model: {
          modelFormat: { name: 'onnx' },
          storageUri: 'oci://cifar10:1',
          resources: { requests: { cpu: '0.5' } },
        },
      },
    },
  });
  const made = await until('the Deployment', () => find(cluster.client, deploymentKind, 'cifar-predictor'));
  const { spec } = made.spec!.template;
  assert.equal(spec?.containers[0]?.image, 'selvage.dev/builtin/model-server');
  assert.deepEqual(spec?.volumes?.[0]?.image?.reference, 'cifar10:1');
  assert.deepEqual(spec?.nodeSelector, { 'kubernetes.io/os': 'linux' });
  const waiting = await until('the status', async () => {
    const found = await find(cluster.client, inferenceServiceKind, 'cifar');
    return found?.status?.url !== undefined && found;
  });
  assert.equal(waiting.status?.url, 'http://cifar-predictor.default.svc.cluster.local');
  assert.equal(waiting.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
  const service = await find(cluster.client, serviceKind, 'cifar-predictor');
  assert.deepEqual(service?.spec?.ports?.[0]?.targetPort, 8080);
  for (const name of ['n1', 'n2']) {
    const labels = { 'kubernetes.io/os': 'linux' };
    await cluster.client.patch(nodeKind, { name }, { type: 'merge', body: { metadata: { labels } } });
  }
  await until('readiness', async () => {
    const found = await find(cluster.client, inferenceServiceKind, 'cifar');
    return found?.status?.conditions?.every(({ status }) => status === 'True');
  });
  const before = (await find(cluster.client, deploymentKind, 'cifar-predictor'))?.metadata?.generation;
  assert.equal(before, 1, 'the Deployment is written once, not again for the defaults that it got');
});

test('an InferenceService that cannot be served says what is offered', async () => {
  await cluster.client.create(inferenceServiceKind, {
    metadata: { name: 'odd', namespace: 'default' },
    spec: { predictor: { model: { modelFormat: { name: 'pickle' }, storageUri: 'oci://odd:1' } } },
  });
  const told = await until('the condition', async () => {
    const found = await find(cluster.client, inferenceServiceKind, 'odd');
    return found?.status?.conditions?.find(({ type }) => type === 'Ready');
  });
  assert.match(
    told.message ?? '',
    /no runtime found to support predictor with model type: \{pickle\} .* there is one for: onnx 1\./,
  );
});

test('a settled cluster writes nothing, and renewed Leases cause no other writes', async () => {
  const { store } = cluster.api;
  const client = cluster.client;
  const key = { namespace: 'kube-node-lease', name: 'n1' };
  await client.create(leaseKind, { metadata: key, spec: { holderIdentity: 'n1' } });
  let seen = store.revision();
  let stillSinceMs = Date.now();
  await until('no writes for half a second', async () => {
    if (store.revision() !== seen) stillSinceMs = Date.now();
    seen = store.revision();
    return Date.now() - stillSinceMs > 500;
  });
  const renewals = 20;
  for (let n = 0; n < renewals; n++) {
    const spec = { renewTime: toMicroTime(Date.now() + n) };
    await client.patch(leaseKind, key, { type: 'merge', body: { spec } });
  }
  const last = store.revision();
  const written: string[] = [];
  for await (const event of store.watch('/', { fromRevision: seen })) {
    // The count of a repeated event may be written up to ten seconds later.
    if (!event.key.includes('/events/')) written.push(event.key);
    if (event.revision >= last) break;
  }
  assert.equal(written.length, renewals);
  assert.equal(new Set(written).size, 1);
});
