import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../src/apiserver/test-server.ts';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import { until } from '../src/base/until.ts';
import { createClient } from '../src/client/create-client.ts';
import { type Controllers, startControllers } from '../src/controllers/index.ts';
import { kubectlMinor } from './shell.ts';

/** Quotas, limits, pod security and webhooks as kubectl's users meet them. */

const isMissing = kubectlMinor === 0;
const isCi = process.env.CI === 'true';
const timeoutMs = 60_000;

let running: TestServer;
let controllers: Controllers;
let kubeconfig: string;

interface Result {
  code: number;
  out: string;
  err: string;
}

function kubectl(line: string, input = ''): Promise<Result> {
  const args = (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
  const env = { PATH: process.env.PATH ?? '', HOME: running.dir, KUBECONFIG: kubeconfig };
  return new Promise((resolve) => {
    const child = execFile(
      'kubectl',
      args,
      { env, encoding: 'utf8', timeout: timeoutMs },
      (error, out, err) => {
        resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, out, err });
      },
    );
    child.stdin?.end(input);
  });
}

/** Runs kubectl, which must succeed, and returns what it printed. */
async function run(line: string, input?: string): Promise<string> {
  const { code, out, err } = await kubectl(line, input);
  assert.equal(code, 0, `kubectl ${line}: ${err}${out}`);
  return out.trimEnd();
}

/** Runs kubectl, which must fail, and returns what it complained of. */
async function fail(line: string, input?: string): Promise<string> {
  const { code, out, err } = await kubectl(line, input);
  assert.notEqual(code, 0, `kubectl ${line} did not fail: ${out}`);
  return err.trim();
}

const pod = (name: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'app:1', ...more }] },
  });

describe('kubectl and admission', { skip: isMissing && !isCi ? 'kubectl is not on the PATH' : false }, () => {
  before(async () => {
    running = await startTestServer();
    kubeconfig = running.writeKubeconfig('selvage-admin');
    const client = createClient(running.server.transport());
    controllers = startControllers({
      client,
      clock: systemClock,
      log: silentLog,
      authority: running.authority,
    });
  });
  after(async () => {
    await controllers?.stop();
    await running?.close();
  });

  test('a quota is made, shown and enforced, and a deletion makes room', async () => {
    await run('create namespace quotas');
    assert.equal(
      await run('-n quotas create quota small --hard=pods=2,requests.cpu=1,count/deployments.apps=1'),
      'resourcequota/small created',
    );
    const describe = () => run('-n quotas describe quota small');
    await until('the quota is counted', async () => /pods +0 +2/.test(await describe()));
    const cpu = { resources: { requests: { cpu: '400m' } } };
    for (const name of ['a', 'b']) await run('-n quotas create -f -', pod(name, cpu));
    assert.equal(
      await describe(),
      [
        'Name:                   small',
        'Namespace:              quotas',
        'Resource                Used  Hard',
        '--------                ----  ----',
        'count/deployments.apps  0     1',
        'pods                    2     2',
        'requests.cpu            800m  1',
      ].join('\n'),
    );
    assert.equal(
      await fail('-n quotas create -f -', pod('c', cpu)),
      'Error from server (Forbidden): error when creating "STDIN": pods "c" is forbidden: exceeded quota: small, requested: pods=1,requests.cpu=400m, used: pods=2,requests.cpu=800m, limited: pods=2,requests.cpu=1',
    );
    assert.equal(
      await fail('-n quotas create -f -', pod('silent')),
      'Error from server (Forbidden): error when creating "STDIN": pods "silent" is forbidden: failed quota: small: must specify requests.cpu for: main',
    );
    await run('-n quotas delete pod a --grace-period=0 --force');
    await until('there is room', async () => /pods +1 +2/.test(await describe()));
    await run('-n quotas create -f -', pod('c', cpu));
  });

  test('a limit range is shown, gives defaults and refuses', async () => {
    await run('create namespace limits');
    const limits = [
      { type: 'Container', default: { cpu: '500m' }, defaultRequest: { cpu: '200m' }, max: { cpu: '800m' } },
    ];
    await run(
      '-n limits create -f -',
      JSON.stringify({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'range' }, spec: { limits } }),
    );
    assert.equal(
      await run('-n limits describe limits range'),
      [
        'Name:       range',
        'Namespace:  limits',
        'Type        Resource  Min  Max   Default Request  Default Limit  Max Limit/Request Ratio',
        '----        --------  ---  ---   ---------------  -------------  -----------------------',
        'Container   cpu       -    800m  200m             500m           -',
      ].join('\n'),
    );
    await run('-n limits create -f -', pod('one'));
    assert.equal(
      await run("-n limits get pod one -o jsonpath='{.spec.containers[0].resources}'"),
      '{"limits":{"cpu":"500m"},"requests":{"cpu":"200m"}}',
    );
    assert.equal(
      await fail('-n limits create -f -', pod('two', { resources: { limits: { cpu: '2' } } })),
      'Error from server (Forbidden): error when creating "STDIN": pods "two" is forbidden: maximum cpu usage per Container is 800m, but limit is 2',
    );
  });

  test('a namespace that is restricted refuses pods, warns of workloads and of what is there', async () => {
    await run('create namespace secured');
    await run('-n secured create -f -', pod('before'));
    const labelled = await kubectl('label namespace secured pod-security.kubernetes.io/enforce=restricted');
    assert.equal(labelled.out.trim(), 'namespace/secured labeled');
    assert.equal(
      labelled.err.trim(),
      'Warning: existing pods in namespace "secured" violate the new PodSecurity enforce level "restricted:latest"\n' +
        'Warning: before: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile',
    );
    const details =
      'allowPrivilegeEscalation != false (container "web" must set securityContext.allowPrivilegeEscalation=false), ' +
      'unrestricted capabilities (container "web" must set securityContext.capabilities.drop=["ALL"]), ' +
      'runAsNonRoot != true (pod or container "web" must set securityContext.runAsNonRoot=true), ' +
      'seccompProfile (pod or container "web" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")';
    assert.equal(
      await fail('-n secured run web --image=app:1'),
      `Error from server (Forbidden): pods "web" is forbidden: violates PodSecurity "restricted:latest": ${details}`,
    );
    const { code, err } = await kubectl('-n secured create deployment web --image=app:1');
    assert.equal(code, 0, err);
    const inDeployment = details.replaceAll('"web"', '"app"');
    assert.equal(err.trim(), `Warning: would violate PodSecurity "restricted:latest": ${inDeployment}`);
  });

  test('priority classes are there, and a pod of an unknown one is refused', async () => {
    const table = await run('get priorityclasses');
    assert.match(table, /^NAME +VALUE +GLOBAL-DEFAULT +AGE/);
    assert.match(table, /^system-cluster-critical +2000000000 +false /m);
    assert.equal(
      await run('create priorityclass urgent --value=1000 --description=now'),
      'priorityclass.scheduling.k8s.io/urgent created',
    );
    const overrides = '{"spec":{"priorityClassName":"none"}}';
    assert.equal(
      await fail(`run p --image=app:1 --overrides='${overrides}'`),
      'Error from server (Forbidden): pods "p" is forbidden: no PriorityClass with name none was found',
    );
  });

  describe('webhooks', () => {
    let server: Server;

    before(async () => {
      const issued = running.authority.issue({
        commonName: 'webhook',
        ipAddresses: ['127.0.0.1'],
        usages: ['server'],
        lifetimeSeconds: 3600,
      });
      server = createServer(
        { cert: issued.chainPem, key: issued.privateKeyPem },
        async (request, response) => {
          let text = '';
          for await (const chunk of request) text += chunk;
          const { uid, name } = JSON.parse(text).request;
          const refusal = {
            allowed: false,
            status: { code: 403, reason: 'Forbidden', message: 'no names with x' },
          };
          const patch = Buffer.from('[{"op":"add","path":"/data","value":{"seen":"yes"}}]').toString(
            'base64',
          );
          const verdict = request.url!.startsWith('/change')
            ? { allowed: true, patchType: 'JSONPatch', patch, warnings: ['changed on the way'] }
            : name.includes('x')
              ? refusal
              : { allowed: true };
          const answer = {
            apiVersion: 'admission.k8s.io/v1',
            kind: 'AdmissionReview',
            response: { uid, ...verdict },
          };
          response.end(JSON.stringify(answer));
        },
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    after(() => {
      server.closeAllConnections();
      server.close();
    });

    const configuration = (kind: string, path: string) =>
      JSON.stringify({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: `${kind}WebhookConfiguration`,
        metadata: { name: 'example' },
        webhooks: [
          {
            name: 'hook.example.com',
            clientConfig: {
              url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`,
              caBundle: Buffer.from(running.authority.caPem).toString('base64'),
            },
            rules: [
              { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
            ],
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'hooked' } },
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
          },
        ],
      });

    test('one changes what is made and warns, another refuses, and one that is gone fails the write', async () => {
      await run('create namespace hooked');
      await run('apply -f -', configuration('Mutating', 'change'));
      await run('apply -f -', configuration('Validating', 'check'));
      assert.match(
        await run('get validatingwebhookconfigurations'),
        /^NAME +WEBHOOKS +AGE\nexample +1 +\S+$/,
      );
      const made = await kubectl('-n hooked create configmap good');
      assert.deepEqual(
        [made.out.trim(), made.err.trim()],
        ['configmap/good created', 'Warning: changed on the way'],
      );
      assert.equal(await run("-n hooked get configmap good -o jsonpath='{.data.seen}'"), 'yes');
      assert.equal(
        (await fail('-n hooked create configmap x')).split('\n').at(-1),
        'error: failed to create configmap: admission webhook "hook.example.com" denied the request: no names with x',
      );
      const tried = await kubectl('-n hooked create configmap tried --dry-run=server');
      assert.equal(tried.code, 0, tried.err);
      await run('delete mutatingwebhookconfiguration example');
      server.closeAllConnections();
      server.close();
      assert.match(
        await fail('-n hooked create configmap late'),
        /^error: failed to create configmap: Internal error occurred: failed calling webhook "hook\.example\.com": failed to call webhook: Post "https:\/\/127\.0\.0\.1:\d+\/check\?timeout=10s": /,
      );
    });
  });
});
