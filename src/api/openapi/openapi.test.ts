import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kinds } from '../kinds/index.ts';
import { encodeGnostic } from './gnostic.ts';
import { openapiV2 } from './v2.ts';
import { openapiV3 } from './v3.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document is walked freely here.
type Document = any;

const core: Document = openapiV3(kinds, { group: '', version: 'v1' });
const apps: Document = openapiV3(kinds, { group: 'apps', version: 'v1' });
const swagger: Document = openapiV2(kinds);

test('every reference in a document leads to a component of it', () => {
  for (const document of [core, apps, swagger]) {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!);
    assert.ok(refs.length > 100);
    for (const ref of new Set(refs)) {
      const target = ref.split('/').reduce((at: Document, name) => at?.[name], document);
      assert.ok(target, ref);
    }
  }
});

test('a kind carries its group, version and kind, and every verb its action', () => {
  const { Deployment, path } = {
    Deployment: apps.components.schemas['io.k8s.api.apps.v1.Deployment'],
    path: apps.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'],
  };
  const about = { group: 'apps', kind: 'Deployment', version: 'v1' };
  assert.deepEqual(Deployment['x-kubernetes-group-version-kind'], [about]);
  const collection = apps.paths['/apis/apps/v1/namespaces/{namespace}/deployments'];
  const actions = { ...path, post: collection.post };
  for (const [method, action] of Object.entries({
    get: 'get',
    put: 'put',
    patch: 'patch',
    delete: 'delete',
    post: 'post',
  })) {
    assert.equal(actions[method]['x-kubernetes-action'], action);
    assert.deepEqual(actions[method]['x-kubernetes-group-version-kind'], about);
  }
  assert.equal(collection.get['x-kubernetes-action'], 'list');
  assert.equal(collection.delete['x-kubernetes-action'], 'deletecollection');
  assert.equal(collection.post.operationId, 'createAppsV1NamespacedDeployment');
  assert.equal(
    apps.paths['/apis/apps/v1/deployments'].get.operationId,
    'listAppsV1DeploymentForAllNamespaces',
  );
  assert.ok(core.paths['/api/v1/nodes/{name}/status'].patch);
  assert.ok(apps.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale'].get);
});

test('patch takes fieldValidation and dryRun, which kubectl looks for before it trusts the server', () => {
  const names = (parameters: { name: string }[]) => parameters.map(({ name }) => name);
  const path = '/api/v1/namespaces/{namespace}/pods/{name}';
  for (const operation of [core.paths[path].patch, swagger.paths[path].patch]) {
    assert.ok(names(operation.parameters).includes('fieldValidation'));
    assert.ok(names(operation.parameters).includes('dryRun'));
  }
});

test('lists say how they merge, in the words that Kubernetes has for them', () => {
  const spec = core.components.schemas['io.k8s.api.core.v1.PodSpec'].properties;
  assert.equal(spec.containers['x-kubernetes-patch-merge-key'], 'name');
  assert.equal(spec.containers['x-kubernetes-list-type'], 'map');
  assert.equal(spec.volumes['x-kubernetes-patch-strategy'], 'merge,retainKeys');
  assert.equal(spec.tolerations['x-kubernetes-list-type'], 'atomic');
  const strategy = apps.components.schemas['io.k8s.api.apps.v1.DeploymentSpec'].properties.strategy;
  assert.equal(strategy['x-kubernetes-patch-strategy'], 'retainKeys');
  const ports = core.components.schemas['io.k8s.api.core.v1.Container'].properties.ports;
  assert.deepEqual(ports['x-kubernetes-list-map-keys'], ['containerPort', 'protocol']);
});

test("a field's own description stands beside the reference to its type", () => {
  const spec = core.components.schemas['io.k8s.api.core.v1.Container'].properties;
  assert.deepEqual(spec.livenessProbe, {
    description: 'Failing restarts the container.',
    allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.Probe' }],
  });
  assert.deepEqual(spec.lifecycle, { $ref: '#/components/schemas/io.k8s.api.core.v1.Lifecycle' });
});

test('the protocol buffer form holds every path and definition of the document', () => {
  const { paths, definitions } = swagger;
  const document = fieldsOf(encodeGnostic(swagger));
  const named = (number: number, inner: number) =>
    fieldsOf(document.get(number)![0]!)
      .get(inner)!
      .map((entry) => Buffer.from(fieldsOf(entry).get(1)![0]!).toString());
  assert.equal(Buffer.from(document.get(1)![0]!).toString(), '2.0');
  assert.deepEqual(named(8, 2), Object.keys(paths));
  assert.deepEqual(named(9, 1), Object.keys(definitions));
});

/** The length-delimited fields of a message by their number. */
function fieldsOf(bytes: Uint8Array): Map<number, Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const length = varint();
    if ((tag & 7) !== 2) continue;
    const number = tag >> 3;
    found.set(number, [...(found.get(number) ?? []), bytes.subarray(at, at + length)]);
    at += length;
  }
  return found;
}

test('every field of every kind is described', () => {
  const document = openapiV2(kinds) as {
    definitions: Record<
      string,
      { description?: string; properties?: Record<string, { description?: string; $ref?: string }> }
    >;
  };
  const { definitions } = document;
  const silent: string[] = [];
  for (const [type, { properties = {} }] of Object.entries(definitions)) {
    if (type.endsWith('List') || type.startsWith('io.k8s.apimachinery')) continue;
    for (const [field, { description, $ref }] of Object.entries(properties)) {
      const ofType = $ref && definitions[$ref.replace('#/definitions/', '')]?.description;
      if (!description && !ofType) silent.push(`${type}.${field}`);
    }
  }
  assert.deepEqual(silent, []);
});
