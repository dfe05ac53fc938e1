// Of each kind that the conformance descriptions name: every operation that its API promises.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mergePatch, openWatch, send, take } from '../../src/apiserver/test-request.ts';
import { startTestServer, type TestServer } from '../../src/apiserver/test-server.ts';
import type { Transport } from '../../src/client/transport.ts';

let server: TestServer;
let api: Transport;
before(async () => {
  server = await startTestServer({ listens: false });
  api = server.server.transport();
  for (const name of ['one', 'two']) {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    assert.equal((await send(api, 'POST /api/v1/namespaces', { body: namespace })).code, 201);
  }
});
after(() => server.close());

interface Case {
  group: string;
  kind: string;
  plural: string;
  clusterScoped?: true;
  body: object;
}

const template = {
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'main', image: 'app:1' }] },
};
const workload = { selector: { matchLabels: { app: 'x' } }, template };
const jobTemplate = { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } };
const webhook = {
  name: 'hook.example.com',
  clientConfig: { url: 'https://127.0.0.1:1/' },
  rules: [
    { apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['examples'] },
  ],
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
};
const admission = 'admissionregistration.k8s.io/v1';
const policy = {
  matchConstraints: {
    resourceRules: [
      { apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['examples'] },
    ],
  },
  validations: [{ expression: 'object.spec.replicas <= 100' }],
};
const flowSchema = {
  priorityLevelConfiguration: { name: 'global-default' },
  matchingPrecedence: 9000,
  rules: [],
};
const limited = {
  type: 'Limited',
  limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } },
};

const cases: Case[] = [
  { group: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets', body: { spec: workload } },
  { group: 'apps/v1', kind: 'ReplicaSet', plural: 'replicasets', body: { spec: workload } },
  {
    group: 'apps/v1',
    kind: 'StatefulSet',
    plural: 'statefulsets',
    body: { spec: { ...workload, serviceName: 'x' } },
  },
  {
    group: 'apps/v1',
    kind: 'ControllerRevision',
    plural: 'controllerrevisions',
    body: { revision: 1, data: {} },
  },
  {
    group: 'v1',
    kind: 'ReplicationController',
    plural: 'replicationcontrollers',
    body: { spec: { selector: { app: 'x' }, template } },
  },
  {
    group: 'batch/v1',
    kind: 'CronJob',
    plural: 'cronjobs',
    body: { spec: { schedule: '0 0 1 1 *', jobTemplate } },
  },
  { group: 'batch/v1', kind: 'Job', plural: 'jobs', body: { spec: jobTemplate.spec } },
  {
    group: 'policy/v1',
    kind: 'PodDisruptionBudget',
    plural: 'poddisruptionbudgets',
    body: { spec: { minAvailable: 1 } },
  },
  {
    group: 'v1',
    kind: 'LimitRange',
    plural: 'limitranges',
    body: { spec: { limits: [{ type: 'Container', default: { cpu: '1' } }] } },
  },
  {
    group: 'v1',
    kind: 'ResourceQuota',
    plural: 'resourcequotas',
    body: { spec: { hard: { configmaps: '9' } } },
  },
  { group: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', body: {} },
  {
    group: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    plural: 'priorityclasses',
    clusterScoped: true,
    body: { value: 10 },
  },
  {
    group: admission,
    kind: 'MutatingWebhookConfiguration',
    plural: 'mutatingwebhookconfigurations',
    clusterScoped: true,
    body: { webhooks: [webhook] },
  },
  {
    group: admission,
    kind: 'ValidatingWebhookConfiguration',
    plural: 'validatingwebhookconfigurations',
    clusterScoped: true,
    body: { webhooks: [webhook] },
  },
  {
    group: admission,
    kind: 'ValidatingAdmissionPolicy',
    plural: 'validatingadmissionpolicies',
    clusterScoped: true,
    body: { spec: policy },
  },
  {
    group: admission,
    kind: 'ValidatingAdmissionPolicyBinding',
    plural: 'validatingadmissionpolicybindings',
    clusterScoped: true,
    body: { spec: { policyName: 'none', validationActions: ['Deny'] } },
  },
  {
    group: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    plural: 'flowschemas',
    clusterScoped: true,
    body: { spec: flowSchema },
  },
  {
    group: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'PriorityLevelConfiguration',
    plural: 'prioritylevelconfigurations',
    clusterScoped: true,
    body: { spec: limited },
  },
];

for (const each of cases) {
  test(`a ${each.kind} is found in discovery, made, read, listed, watched, patched, replaced and deleted, alone and together`, async () => {
    await discovered(each);
    const { all, own } = pathsOf(each, 'one');
    const from = (await send(api, `GET ${all}`)).object.metadata?.resourceVersion;
    const stop = new AbortController();
    const labels = encodeURIComponent('conformance=yes');
    const watch = `GET ${all}?watch=1&resourceVersion=${from}&labelSelector=${labels}`;
    const events = await openWatch(api, watch, { signal: stop.signal });
    const made = await send(api, `POST ${own}`, { body: objectOf(each, 'first') });
    assert.equal(made.code, 201, JSON.stringify(made.object));
    assert.ok(made.object.metadata?.uid);
    const read = await send(api, `GET ${own}/first`);
    assert.deepEqual(read.object, made.object);
    assert.deepEqual(await namesIn(`${all}?labelSelector=${labels}`), ['first']);

    const patched = await mergePatch(api, `${own}/first`, { metadata: { annotations: { patched: 'true' } } });
    assert.equal(patched.object.metadata?.annotations?.patched, 'true');
    assert.equal(patched.object.metadata?.uid, made.object.metadata.uid);
    const annotations = { ...patched.object.metadata?.annotations, updated: 'true' };
    const next = { ...patched.object, metadata: { ...patched.object.metadata, annotations } };
    const replaced = await send(api, `PUT ${own}/first`, { body: next });
    assert.equal(replaced.code, 200, JSON.stringify(replaced.object));
    assert.equal(replaced.object.metadata?.annotations?.updated, 'true');
    const stale = await send(api, `PUT ${own}/first`, { body: next });
    assert.deepEqual([stale.code, stale.object.reason], [409, 'Conflict']);
    assert.deepEqual(await take(events, 3), ['ADDED first', 'MODIFIED first', 'MODIFIED first']);

    assert.equal((await send(api, `DELETE ${own}/first?propagationPolicy=Background`)).code, 200);
    assert.equal((await send(api, `GET ${own}/first`)).code, 404);
    assert.deepEqual(await take(events, 1), ['DELETED first']);
    stop.abort();
    await events.return?.();

    await send(api, `POST ${own}`, { body: objectOf(each, 'second') });
    const other = each.clusterScoped ? own : pathsOf(each, 'two').own;
    await send(api, `POST ${other}`, { body: objectOf(each, 'third') });
    assert.deepEqual(await namesIn(`${all}?labelSelector=${labels}`), ['second', 'third']);
    assert.equal(
      (await send(api, `DELETE ${own}?propagationPolicy=Background&labelSelector=${labels}`)).code,
      200,
    );
    assert.deepEqual(await namesIn(`${all}?labelSelector=${labels}`), each.clusterScoped ? [] : ['third']);
  });
}

const objectOf = ({ group, kind, body }: Case, name: string) => ({
  apiVersion: group,
  kind,
  metadata: { name, labels: { conformance: 'yes' } },
  ...body,
});

function pathsOf({ group, plural, clusterScoped }: Case, namespace: string): { all: string; own: string } {
  const root = group === 'v1' ? '/api/v1' : `/apis/${group}`;
  const all = `${root}/${plural}`;
  return { all, own: clusterScoped ? all : `${root}/namespaces/${namespace}/${plural}` };
}

async function namesIn(path: string): Promise<string[]> {
  const { items = [] } = (await send(api, `GET ${path}`)).object;
  return items.map((item) => item.metadata?.name ?? '').sort();
}

async function discovered({ group, kind, plural, clusterScoped }: Case): Promise<void> {
  const { object } = await send(api, `GET ${group === 'v1' ? '/api/v1' : `/apis/${group}`}`);
  const found = object.resources.find(({ name }: { name: string }) => name === plural);
  assert.equal(found?.kind, kind);
  assert.equal(found?.namespaced, !clusterScoped);
  const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
  assert.deepEqual([...found.verbs].sort(), verbs);
}
