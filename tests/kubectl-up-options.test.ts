// What `selvage up` is told, seen by a client: the pods' network, the audit log; and probes by gRPC, and bound tokens.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, kubectlMinor, missing, openShell } from './shell.ts';

/** Answers gRPC health checks: `good` is well, nothing else is. */
const program = `
import { createServer } from 'node:http2';
const server = createServer();
server.on('stream', async (stream, headers) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const name = Buffer.concat(chunks).subarray(7).toString();
  console.log(headers[':path'], name);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.of(0, 0, 0, 0, 2, 8, name === 'good' ? 1 : 2));
});
server.listen(process.env.PORT);
`;

const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  rules: [
    { level: 'Metadata', resources: [{ group: '', resources: ['pods/exec', 'pods/proxy'] }] },
    { level: 'None' },
  ],
};

const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'health:1',
        ports: [{ containerPort: 8080 }],
        readinessProbe: { grpc: { port: 8080, service: name }, periodSeconds: 1, timeoutSeconds: 10 },
      },
    ],
  },
});

interface AuditEvent {
  stage: string;
  verb: string;
  requestURI: string;
  responseStatus?: { code?: number };
  objectRef: { resource: string; subresource: string; name: string };
  user: { username: string };
}

test('selvage up with options of its own', {
  skip: missing('kubectl', 'curl'),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const file = (name: string) => join(shell.home, name);
  writeFileSync(file('policy.json'), JSON.stringify(policy));
  const network = '--cluster-cidr 10.99.0.0/16 --node-cidr-mask-size 26';
  const audit = `--audit-policy-file ${file('policy.json')} --audit-log-path ${file('audit.log')}`;
  const up = shell.start(`selvage up --port 0 ${network} ${audit}`);
  await up.until(/API ready/);
  mkdirSync(file('health'));
  writeFileSync(join(file('health'), 'main.mjs'), program);
  writeFileSync(join(file('health'), 'package.json'), '{"name":"health","main":"main.mjs","type":"module"}');
  await shell.run(`selvage build ${file('health')} -t health:1`);
  for (const name of ['good', 'bad']) {
    writeFileSync(file(name), JSON.stringify(pod(name)));
    await shell.run(`kubectl apply -f ${file(name)}`);
  }
  const events: () => AuditEvent[] = () =>
    readFileSync(file('audit.log'), 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line));

  await t.test('a pod is ready when its gRPC server says so', async () => {
    await shell.run('kubectl wait --for=condition=Ready pod/good --timeout=120s');
    await eventually(async () =>
      assert.match(
        await shell.run('kubectl get events --field-selector involvedObject.name=bad'),
        /Readiness probe failed: service unhealthy \(responded with "NOT_SERVING"\)/,
      ),
    );
    const ready = '{.status.conditions[?(@.type=="Ready")].status}';
    assert.equal(await shell.run(`kubectl get pod bad -o jsonpath='${ready}'`), 'False');
    assert.match(await shell.run('kubectl logs good'), /^\/grpc\.health\.v1\.Health\/Check good$/m);
  });

  await t.test('nodes and pods have addresses of the network that was asked for', async () => {
    const podCIDR = await shell.run("kubectl get nodes -o jsonpath='{.items[0].spec.podCIDR}'");
    assert.match(podCIDR, /^10\.99\.\d+\.\d+\/26$/);
    const podIP = await shell.run("kubectl get pod good -o jsonpath='{.status.podIP}'");
    assert.match(podIP, /^10\.99\./);
  });

  await t.test('a command in a container leaves its events in the audit log', async () => {
    assert.equal(await shell.run('kubectl exec good -- echo seen'), 'seen\n');
    const seen = await eventually(() => {
      const found = events().filter(({ requestURI }) => requestURI.includes('/pods/good/exec'));
      assert.ok(found.some(({ stage }) => stage === 'ResponseComplete'));
      return found;
    });
    const { objectRef, user, requestURI, responseStatus } = seen.at(-1)!;
    assert.deepEqual(
      [objectRef.resource, objectRef.subresource, objectRef.name, user.username, responseStatus?.code],
      ['pods', 'exec', 'good', 'selvage-admin', 101],
    );
    assert.match(requestURI, /command=echo&command=seen/);
    const stages = seen.map(({ stage }) => stage);
    assert.deepEqual([...new Set(stages)], ['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
  });

  await t.test('so does what is asked of a pod through the API', async () => {
    await shell.run('kubectl get --raw /api/v1/namespaces/default/pods/gone/proxy/x', { code: 1 });
    await eventually(() => {
      const found = events().filter(({ requestURI }) => requestURI.endsWith('/pods/gone/proxy/x'));
      assert.deepEqual(found.at(-1)?.responseStatus?.code, 404);
    });
  });

  await t.test(
    'a token that is bound to a pod ends with it',
    {
      skip: kubectlMinor < 24 && 'this kubectl has no "create token"',
    },
    async () => {
      const create = 'kubectl create token default --bound-object-kind Pod --bound-object-name';
      assert.match(await shell.run(`${create} none`, { code: 1 }), /pods "none" not found/);
      const token = (await shell.run(`${create} good`)).trim();
      const server = "$(kubectl config view --raw -o jsonpath='{.clusters[0].cluster.server}')";
      const review = '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}';
      const ask =
        `curl -sk -o /dev/null -w '%{http_code}' -H 'authorization: Bearer ${token}' -H 'content-type: application/json' ` +
        `-d '${review}' ${server}/apis/authentication.k8s.io/v1/selfsubjectreviews`;
      assert.equal(await shell.run(ask), '201');
      await shell.run('kubectl delete pod good --grace-period=1');
      await eventually(async () => assert.equal(await shell.run(ask), '401'));
    },
  );
});
