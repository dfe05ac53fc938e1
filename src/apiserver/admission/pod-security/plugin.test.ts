import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Transport } from '../../../client/transport.ts';
import { deployment, mergePatch, pod, send } from '../../test-request.ts';
import { startTestServer, type TestServer } from '../../test-server.ts';

let running: TestServer;
let api: Transport;

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
  for (const level of ['baseline', 'restricted']) {
    await send(api, 'POST /api/v1/namespaces', {
      body: { metadata: { name: level, labels: { [`${domain}enforce`]: level } } },
    });
  }
});
after(() => running.close());

const domain = 'pod-security.kubernetes.io/';
const container = (securityContext: object, more: object = {}) => ({
  containers: [{ name: 'main', image: 'app:1', securityContext, ...more }],
});
const fine = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

/** What each level says of a spec after its name; undefined where it lets the pod in. */
const table: [what: string, level: string, spec: object, why: string | undefined][] = [
  ['plain', 'baseline', {}, undefined],
  ['fine', 'restricted', container(fine), undefined],
  [
    'plain',
    'restricted',
    {},
    'allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ],
  [
    'host',
    'baseline',
    { hostNetwork: true, hostPID: true },
    'host namespaces (hostNetwork=true, hostPID=true)',
  ],
  [
    'privileged',
    'baseline',
    container({ privileged: true }),
    'privileged (container "main" must not set securityContext.privileged=true)',
  ],
  [
    'capabilities',
    'baseline',
    container({ capabilities: { add: ['NET_ADMIN', 'CHOWN'] } }),
    'non-default capabilities (container "main" must not include "NET_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    'capabilities',
    'restricted',
    container({ ...fine, capabilities: { drop: ['ALL'], add: ['CHOWN', 'NET_BIND_SERVICE'] } }),
    'unrestricted capabilities (container "main" must not include "CHOWN" in securityContext.capabilities.add)',
  ],
  [
    'host-path',
    'baseline',
    {
      volumes: [
        { name: 'a', hostPath: { path: '/a' } },
        { name: 'b', hostPath: { path: '/b' } },
      ],
    },
    'hostPath volumes (volumes "a", "b")',
  ],
  [
    'host-path',
    'restricted',
    { ...container(fine), volumes: [{ name: 'a', hostPath: { path: '/a' } }] },
    'hostPath volumes (volume "a"), restricted volume types (volume "a" uses restricted volume type "hostPath")',
  ],
  [
    'host-port',
    'baseline',
    container(
      {},
      {
        ports: [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 443, hostPort: 443 },
        ],
      },
    ),
    'hostPort (container "main" uses hostPorts 443, 80)',
  ],
  [
    'selinux',
    'baseline',
    { securityContext: { seLinuxOptions: { type: 'own_t', user: 'u' } } },
    'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "own_t"; user may not be set)',
  ],
  [
    'proc-mount',
    'baseline',
    { ...container({ procMount: 'Unmasked' }), hostUsers: false },
    'procMount (container "main" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    'seccomp',
    'baseline',
    {
      ...container({ seccompProfile: { type: 'Unconfined' } }),
      securityContext: { seccompProfile: { type: 'Unconfined' } },
    },
    'seccompProfile (pod and container "main" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    'sysctls',
    'baseline',
    {
      securityContext: {
        sysctls: [
          { name: 'kernel.msgmax', value: '1' },
          { name: 'net.ipv4.tcp_syncookies', value: '1' },
        ],
      },
    },
    'forbidden sysctl (kernel.msgmax)',
  ],
  [
    'root',
    'restricted',
    { ...container({ ...fine, runAsNonRoot: false, runAsUser: 0 }), securityContext: { runAsUser: 0 } },
    'runAsNonRoot != true (container "main" must not set securityContext.runAsNonRoot=false), runAsUser=0 (pod and container "main" must not set runAsUser=0)',
  ],
];

for (const [what, level, spec, why] of table) {
  test(`${level} ${why === undefined ? 'lets in' : 'refuses'} a ${what} pod`, async () => {
    const { code, object } = await send(api, `POST /api/v1/namespaces/${level}/pods`, {
      body: pod(what, spec),
    });
    if (why === undefined) assert.equal(code, 201, object.message);
    else
      assert.equal(
        object.message,
        `pods "${what}" is forbidden: violates PodSecurity "${level}:latest": ${why}`,
      );
  });
}

test('a workload is made with a warning, and its pods are refused', async () => {
  const { code, headers } = await send(api, 'POST /apis/apps/v1/namespaces/restricted/deployments', {
    body: deployment('web'),
  });
  assert.equal(code, 201);
  assert.match(headers.warning!, /^299 - "would violate PodSecurity \\"restricted:latest\\": allowPrivilege/);
});

test('a version is that of its time', async () => {
  const labels = { [`${domain}enforce`]: 'restricted', [`${domain}enforce-version`]: 'v1.18' };
  await send(api, 'POST /api/v1/namespaces', { body: { metadata: { name: 'old', labels } } });
  const { object } = await send(api, 'POST /api/v1/namespaces/old/pods', { body: pod('plain') });
  assert.equal(
    object.message,
    'pods "plain" is forbidden: violates PodSecurity "restricted:v1.18": allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true)',
  );
});

test('a namespace that becomes stricter warns of its pods, and labels that say nothing are refused', async () => {
  await send(api, 'POST /api/v1/namespaces', { body: { metadata: { name: 'lax' } } });
  for (const name of ['a', 'b']) await send(api, 'POST /api/v1/namespaces/lax/pods', { body: pod(name) });
  const path = '/api/v1/namespaces/lax';
  const { headers } = await mergePatch(api, path, {
    metadata: { labels: { [`${domain}enforce`]: 'restricted' } },
  });
  assert.equal(
    headers.warning,
    '299 - "existing pods in namespace \\"lax\\" violate the new PodSecurity enforce level \\"restricted:latest\\"", ' +
      '299 - "a (and 1 other pod): allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"',
  );
  const wrong = await mergePatch(api, path, { metadata: { labels: { [`${domain}warn`]: 'strict' } } });
  assert.equal(
    wrong.object.message,
    'Namespace "lax" is invalid: metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: "strict": must be one of privileged, baseline, restricted',
  );
});
