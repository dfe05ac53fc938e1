import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { CustomResourceDefinition } from '../../api/kinds/customResourceDefinition.ts';
import { until } from '../../base/until.ts';
import type { Transport } from '../../client/transport.ts';
import { mergePatch, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

/** Definitions that others publish, with the objects that their documentation shows. */

let running: TestServer;
let transport: Transport;
before(async () => {
  running = await startTestServer({ listens: false });
  transport = running.server.transport();
  for (const file of ['gateway-api.yaml', 'istio.yaml', 'kserve.yaml']) await apply(file);
});
after(() => running.close());

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

async function apply(file: string): Promise<void> {
  const text = readFileSync(join(import.meta.dirname, 'published', file), 'utf8');
  for (const document of parseAllDocuments(text)) {
    const definition = document.toJS() as CustomResourceDefinition;
    const path = `${definitions}?fieldValidation=Strict`;
    const { code, object } = await send(transport, `POST ${path}`, { body: definition });
    assert.equal(code, 201, JSON.stringify(object));
    const name = definition.metadata!.name!;
    await until(`${name} is established`, async () => {
      const conditions = (await conditionsOf(name)) as Record<string, { status: string }>;
      return conditions.Established?.status === 'True';
    });
  }
}

async function conditionsOf(
  name: string,
): Promise<Record<string, { status: string; reason: string; message: string }>> {
  const { object } = await send(transport, `GET ${definitions}/${name}`);
  const conditions: { type: string }[] = object.status.conditions ?? [];
  return Object.fromEntries(conditions.map((condition) => [condition.type, condition])) as never;
}

const route = (rule: object, name = 'route') => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name },
  spec: { parentRefs: [{ name: 'gateway' }], hostnames: ['example.com'], rules: [rule] },
});
const routes = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes';

test("Gateway API's routes are defaulted, and refused with the messages of their schema", async () => {
  const made = await send(transport, `POST ${routes}`, {
    body: route({ matches: [{ path: { value: '/login' } }], backendRefs: [{ name: 'web', port: 80 }] }),
  });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  const [rule] = made.object.spec.rules;
  assert.deepEqual(rule.matches, [{ path: { type: 'PathPrefix', value: '/login' } }]);
  assert.deepEqual(rule.backendRefs, [{ group: '', kind: 'Service', name: 'web', port: 80, weight: 1 }]);
  assert.deepEqual(made.object.spec.parentRefs, [
    { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gateway' },
  ]);

  const body = {
    ...route({}, 'bad'),
    spec: { hostnames: ['*.*.com'], rules: [{ matches: [{ method: 'FETCH' }] }] },
  };
  const { code, object } = await send(transport, `POST ${routes}`, { body });
  assert.equal(code, 422);
  const causes = object.details.causes.map(
    ({ field, message }: { field: string; message: string }) => `${field}: ${message}`,
  );
  assert.ok(
    causes.includes(
      'spec.hostnames[0]: Invalid value: "*.*.com": spec.hostnames[0] in body should match \'^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$\'',
    ),
    causes.join('\n'),
  );
  assert.ok(
    causes.includes(
      'spec.rules[0].matches[0].method: Unsupported value: "FETCH": supported values: "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"',
    ),
    causes.join('\n'),
  );
});

test("Gateway API's rules in CEL hold", async () => {
  const refusals = async (rule: object): Promise<string[]> => {
    const { code, object } = await send(transport, `POST ${routes}`, { body: route(rule, 'ruled') });
    assert.equal(code, 422, JSON.stringify(object));
    return object.details.causes.map(
      ({ field, message }: { field: string; message: string }) => `${field}: ${message}`,
    );
  };
  const redirect = { type: 'RequestRedirect', requestRedirect: { hostname: 'other.com' } };
  assert.deepEqual(
    await refusals({ filters: [redirect, { type: 'URLRewrite', urlRewrite: { hostname: 'x.com' } }] }),
    [
      'spec.rules[0].filters: Invalid value: "array": May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both',
    ],
  );
  assert.deepEqual(await refusals({ filters: [redirect], backendRefs: [{ name: 'web', port: 80 }] }), [
    'spec.rules[0]: Invalid value: "object": RequestRedirect filter must not be used together with backendRefs',
  ]);
  assert.deepEqual(await refusals({ matches: [{ path: { type: 'PathPrefix', value: '/a//b' } }] }), [
    "spec.rules[0].matches[0].path: Invalid value: \"object\": must not contain '//' when type one of ['Exact', 'PathPrefix']",
  ]);
  assert.deepEqual(await refusals({ backendRefs: [{ name: 'web' }] }), [
    'spec.rules[0].backendRefs[0]: Invalid value: "object": Must have port for Service reference',
  ]);
  // A class keeps its controller: a rule about a change.
  const classes = '/apis/gateway.networking.k8s.io/v1/gatewayclasses';
  const body = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: 'selvage' },
    spec: { controllerName: 'selvage.dev/gateway' },
  };
  assert.equal((await send(transport, `POST ${classes}`, { body })).code, 201);
  const changed = await mergePatch(transport, `${classes}/selvage`, {
    spec: { controllerName: 'other.dev/x' },
  });
  assert.equal(
    changed.object.message,
    'GatewayClass.gateway.networking.k8s.io "selvage" is invalid: spec.controllerName: Invalid value: "string": Value is immutable',
  );
});

test("a group of Kubernetes' own community says that it was approved", async () => {
  const conditions = await conditionsOf('httproutes.gateway.networking.k8s.io');
  const { status, reason, message } = conditions.KubernetesAPIApprovalPolicyConformant!;
  assert.deepEqual({ status, reason }, { status: 'True', reason: 'ApprovedAnnotation' });
  assert.match(message, /^approved in https:\/\/github\.com\/kubernetes-sigs\/gateway-api\/pull\/\d+$/);
});

test("Istio's virtual services hold to oneOf and to formats, and columns read lists", async () => {
  const path = '/apis/networking.istio.io/v1/namespaces/default/virtualservices';
  const service = (name: string, http: object) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name },
    spec: { hosts: ['reviews.prod.svc.cluster.local'], http: [http] },
  });
  const good = service('good', {
    match: [{ uri: { prefix: '/wpcatalog' } }],
    route: [{ destination: { host: 'reviews', subset: 'v2' }, weight: 100 }],
    timeout: '5s',
  });
  const made = await send(transport, `POST ${path}?fieldValidation=Strict`, { body: good });
  assert.equal(made.code, 201, JSON.stringify(made.object));
  const table = await send(transport, `GET ${path}`, {
    headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  assert.deepEqual(table.object.rows[0].cells.slice(0, 3), [
    'good',
    null,
    '["reviews.prod.svc.cluster.local"]',
  ]);

  const both = service('bad', { match: [{ uri: { prefix: '/a', exact: '/b' } }] });
  const { code, object } = await send(transport, `POST ${path}`, { body: both });
  assert.equal(code, 422);
  assert.match(
    String(object.message),
    /"spec\.http\[0\]\.match\[0\]\.uri" must validate one and only one schema \(oneOf\)\. Found \d valid alternatives/,
  );
});

test('an object stays what it is in each version of Istio, and owners of fields are kept', async () => {
  const at = (version: string) => `/apis/networking.istio.io/${version}/namespaces/default/gateways`;
  const gateway = (version: string, hosts: string[]) => ({
    apiVersion: `networking.istio.io/${version}`,
    kind: 'Gateway',
    metadata: { name: 'edge' },
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts }],
    },
  });
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const apply = (version: string, manager: string, hosts: string[]) =>
    send(transport, `PATCH ${at(version)}/edge?fieldManager=${manager}`, {
      body: gateway(version, hosts),
      headers,
    });
  assert.equal((await apply('v1', 'one', ['a.com'])).code, 201);
  const conflict = await apply('v1beta1', 'two', ['b.com']);
  assert.equal(conflict.code, 409);
  assert.match(String(conflict.object.message), /conflict with "one": \.spec\.servers$/);
  const same = await apply('v1beta1', 'two', ['a.com']);
  assert.equal(same.code, 200, JSON.stringify(same.object));
  assert.deepEqual(
    same.object.metadata!.managedFields!.map((entry) => (entry as { apiVersion: string }).apiVersion).sort(),
    ['networking.istio.io/v1', 'networking.istio.io/v1beta1'],
  );
});

test("KServe's definition is taken, and says that InferenceService goes on being built in", async () => {
  const { Established } = await conditionsOf('inferenceservices.serving.kserve.io');
  assert.equal(Established!.reason, 'BuiltIn');
  assert.match(Established!.message, /^InferenceService in serving\.kserve\.io\/v1beta1 is built in/);
  const path = '/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices';
  const body = {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name: 'model' },
    spec: { predictor: { model: { modelFormat: { name: 'onnx' }, storageUri: 'oci://model:1' } } },
  };
  assert.equal((await send(transport, `POST ${path}`, { body })).code, 201);
  // To take the definition away takes nothing away that is built in.
  const name = 'inferenceservices.serving.kserve.io';
  await send(transport, `DELETE ${definitions}/${name}`);
  await until('it is gone', async () => (await send(transport, `GET ${definitions}/${name}`)).code === 404);
  assert.equal(
    (await mergePatch(transport, `${path}/model`, { metadata: { labels: { a: 'b' } } })).code,
    200,
  );
});
