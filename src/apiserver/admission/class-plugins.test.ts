import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { createRequest } from '../../identity/csr.ts';
import { mergePatch, pod, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

let running: TestServer;
let api: Transport;
const pods = '/api/v1/namespaces/default/pods';

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
});
after(() => running.close());

test('a runtime class adds its overhead, its nodes and its tolerations to a pod', async () => {
  await send(api, 'POST /apis/node.k8s.io/v1/runtimeclasses', {
    body: {
      metadata: { name: 'heavy' },
      handler: 'heavy',
      overhead: { podFixed: { cpu: '250m' } },
      scheduling: { nodeSelector: { heavy: 'yes' }, tolerations: [{ key: 'heavy', operator: 'Exists' }] },
    },
  });
  const { object } = await send(api, `POST ${pods}`, { body: pod('heavy', { runtimeClassName: 'heavy' }) });
  assert.deepEqual([object.spec.overhead, object.spec.nodeSelector], [{ cpu: '250m' }, { heavy: 'yes' }]);
  assert.ok(object.spec.tolerations.some(({ key }: { key: string }) => key === 'heavy'));
  const wrong = { runtimeClassName: 'heavy', nodeSelector: { heavy: 'no' } };
  assert.equal(
    (await send(api, `POST ${pods}`, { body: pod('wrong', wrong) })).object.message,
    'pods "wrong" is forbidden: pod rejected: conflict: runtimeClass.scheduling.nodeSelector and pod.spec.nodeSelector',
  );
  const builtIn = await send(api, `POST ${pods}`, { body: pod('isolated', { runtimeClassName: 'isolate' }) });
  assert.equal(builtIn.code, 201, builtIn.object.message);
  const refused: [object, string][] = [
    [{ runtimeClassName: 'nobodys' }, 'RuntimeClass "nobodys" not found'],
    [
      { runtimeClassName: 'heavy', overhead: { cpu: '1' } },
      "Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    ],
    [{ overhead: { cpu: '1' } }, 'Pod Overhead set without corresponding RuntimeClass defined Overhead'],
  ];
  for (const [spec, why] of refused) {
    const answer = await send(api, `POST ${pods}`, { body: pod('refused', spec) });
    assert.deepEqual(
      [answer.code, answer.object.message],
      [403, `pods "refused" is forbidden: pod rejected: ${why}`],
    );
  }
});

test('an ingress without a class gets the default one', async () => {
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' };
  await send(api, 'POST /apis/networking.k8s.io/v1/ingressclasses', {
    body: { metadata: { name: 'usual', annotations }, spec: { controller: 'example.com/usual' } },
  });
  const defaultBackend = { service: { name: 'web', port: { number: 80 } } };
  const made = async (name: string, spec: object) =>
    (
      await send(api, 'POST /apis/networking.k8s.io/v1/namespaces/default/ingresses', {
        body: { metadata: { name }, spec: { defaultBackend, ...spec } },
      })
    ).object.spec.ingressClassName;
  assert.equal(await made('silent', {}), 'usual');
  assert.equal(await made('says', { ingressClassName: 'own' }), 'own');
});

test('approving and signing take the right to do it for the signer, and nobody becomes a master', async () => {
  const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const request = (organizations: string[]) => {
    const { csrPem } = createRequest({ commonName: 'someone', organizations });
    return {
      request: Buffer.from(csrPem).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    };
  };
  const master = await send(api, `POST ${requests}`, {
    body: { metadata: { name: 'master' }, spec: request(['system:masters']) },
  });
  assert.equal(
    master.object.message,
    'certificatesigningrequests.certificates.k8s.io "master" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
  );
  const made = await send(api, `POST ${requests}`, {
    body: { metadata: { name: 'one' }, spec: request(['team']) },
  });
  assert.equal(made.code, 201, made.object.message);
  const rules = [
    {
      apiGroups: ['certificates.k8s.io'],
      resources: ['certificatesigningrequests/approval'],
      verbs: ['patch', 'update'],
    },
  ];
  await send(api, 'POST /apis/rbac.authorization.k8s.io/v1/clusterroles', {
    body: { metadata: { name: 'half' }, rules },
  });
  await send(api, 'POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    body: {
      metadata: { name: 'half' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'half' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'half' }],
    },
  });
  const half = running.server.transport({ name: 'half', groups: ['system:authenticated'] });
  const approval = {
    status: { conditions: [{ type: 'Approved', status: 'True', reason: 'Test', message: 'yes' }] },
  };
  assert.equal(
    (await mergePatch(half, `${requests}/one/approval`, approval)).object.message,
    'certificatesigningrequests.certificates.k8s.io "one" is forbidden: user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"',
  );
  assert.equal((await mergePatch(api, `${requests}/one/approval`, approval)).code, 200);
});
