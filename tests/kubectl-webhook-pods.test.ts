// Webhooks that are pods behind a Service, with a key from a Secret: of admission and of conversion, on this node and another.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, missing, openShell } from './shell.ts';

/** Refuses ConfigMaps with `data.forbidden`, and renames a field of custom resources. */
const program = `
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
const folder = JSON.parse(process.env.SELVAGE_MOUNTS)['/tls'];
const key = readFileSync(join(folder, 'tls.key')), cert = readFileSync(join(folder, 'tls.crt'));
const routes = {
  '/validate': ({ request: { uid, object } }) => ({
    uid,
    allowed: object.data?.forbidden === undefined,
    status: { code: 403, message: 'says ' + process.env.HOSTNAME },
  }),
  '/convert': ({ request: { uid, objects, desiredAPIVersion } }) => ({
    uid,
    result: { status: 'Success' },
    convertedObjects: objects.map((object) => {
      const { size, width, ...spec } = object.spec;
      const value = size ?? width;
      const field = desiredAPIVersion.endsWith('/v1') ? 'size' : 'width';
      return { ...object, apiVersion: desiredAPIVersion, spec: { ...spec, [field]: value } };
    }),
  }),
};
createServer({ key, cert }, async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  const { kind, apiVersion, ...review } = JSON.parse(text);
  const answer = routes[new URL(request.url, 'https://x').pathname](review);
  response.end(JSON.stringify({ kind, apiVersion, response: answer }));
}).listen(process.env.PORT);
`;

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'hook' },
  spec: {
    replicas: 1,
    strategy: { type: 'Recreate' },
    selector: { matchLabels: { app: 'hook' } },
    template: {
      metadata: { labels: { app: 'hook' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        nodeSelector: { 'kubernetes.io/hostname': 'local' },
        containers: [
          {
            name: 'hook',
            image: 'hook:1',
            ports: [{ containerPort: 8443 }],
            volumeMounts: [{ name: 'tls', mountPath: '/tls' }],
          },
        ],
        volumes: [{ name: 'tls', secret: { secretName: 'hook-tls' } }],
      },
    },
  },
};
const service = (path: string) => ({ name: 'hook', namespace: 'default', path });

const registration = (caBundle: string) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'hook' },
  webhooks: [
    {
      name: 'hook.example.com',
      clientConfig: { service: service('/validate'), caBundle },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
    },
  ],
});

const definition = (caBundle: string) => {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const clientConfig = { service: service('/convert'), caBundle };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'boxes.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'boxes', singular: 'box', kind: 'Box' },
      versions: [
        { name: 'v1', served: true, storage: true, schema },
        { name: 'v1beta1', served: true, storage: false, schema },
      ],
      conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } },
    },
  };
};

test('webhooks may be pods, on whichever node', {
  skip: missing('kubectl', 'openssl'),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const up = shell.start('selvage up --port 0');
  await up.until(/API ready/);
  const server = (
    await shell.run("kubectl config view --raw -o jsonpath='{.clusters[0].cluster.server}'")
  ).trim();
  const token = join(shell.home, '.selvage/server/join-token');
  shell.start(
    `selvage agent --server ${server} --token-file ${token} --name other --data-dir ${join(shell.home, 'other')}`,
  );
  const folder = join(shell.home, 'hook');
  mkdirSync(folder);
  writeFileSync(join(folder, 'main.mjs'), program);
  writeFileSync(join(folder, 'package.json'), '{"name":"hook","main":"main.mjs","type":"module"}');
  await shell.run(`selvage build ${folder} -t hook:1`);
  const file = (name: string) => join(shell.home, name);
  await shell.run(
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=hook ` +
      `-addext subjectAltName=DNS:hook.default.svc -keyout ${file('tls.key')} -out ${file('tls.crt')}`,
  );
  await shell.run(`kubectl create secret tls hook-tls --cert=${file('tls.crt')} --key=${file('tls.key')}`);
  const apply = async (name: string, manifest: object) => {
    writeFileSync(file(name), JSON.stringify(manifest));
    return shell.run(`kubectl apply -f ${file(name)}`);
  };
  const caBundle = readFileSync(file('tls.crt')).toString('base64');
  await apply('deployment.json', deployment);
  await shell.run('kubectl expose deployment hook --port=443 --target-port=8443');
  await shell.run('kubectl rollout status deployment/hook --timeout=60s');
  await apply('registration.json', registration(caBundle));
  await apply('definition.json', definition(caBundle));
  await shell.run('kubectl wait --for=condition=Established crd/boxes.example.com --timeout=60s');

  const holds = async (name: string) => {
    await shell.run(`kubectl create configmap ${name} --from-literal=a=1`);
    assert.match(
      await shell.run('kubectl create configmap no --from-literal=forbidden=1', { code: 1 }),
      /admission webhook "hook.example.com" denied the request: says hook-/,
    );
    await apply('box.json', {
      apiVersion: 'example.com/v1beta1',
      kind: 'Box',
      metadata: { name },
      spec: { width: 3 },
    });
    const size = (version: string) =>
      shell.run(`kubectl get boxes.${version}.example.com ${name} -o jsonpath='{.spec}'`);
    assert.equal(await size('v1'), '{"size":3}');
    assert.equal(await size('v1beta1'), '{"width":3}');
  };
  await t.test('of the local node', () => holds('near'));
  await t.test('of another node', async () => {
    await shell.run('kubectl wait --for=condition=Ready node/other --timeout=60s');
    const nodeSelector = { 'kubernetes.io/hostname': 'other' };
    const patch = { spec: { template: { spec: { nodeSelector } } } };
    await shell.run(`kubectl patch deployment hook -p '${JSON.stringify(patch)}'`);
    await shell.run('kubectl rollout status deployment/hook --timeout=60s');
    await eventually(() => holds('far'), 5_000);
  });
  await t.test('without a ready pod it fails as its policy says', async () => {
    await shell.run('kubectl scale deployment hook --replicas=0');
    await eventually(async () =>
      assert.match(
        await shell.run('kubectl create configmap late --from-literal=a=1', { code: 1 }),
        /failed calling webhook "hook.example.com": failed to call webhook: Post "https:\/\/hook.default.svc:443\/validate\?timeout=10s": no endpoints available for service "hook"/,
      ),
    );
    await shell.run('kubectl delete validatingwebhookconfiguration hook');
    await shell.run('kubectl create configmap late --from-literal=a=1');
  });
});
