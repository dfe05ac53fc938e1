import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customKind } from '../custom/custom-kind.ts';
import type { CustomResourceDefinition } from '../kinds/customResourceDefinition.ts';
import { kinds } from '../kinds/index.ts';
import type { ValidatingAdmissionPolicy } from '../kinds/validatingAdmissionPolicy.ts';
import { checkTypes, kindsCheckedMax } from './policy-types.ts';

const rule = (apiGroups: string[], resources: string[]) => ({
  apiGroups,
  apiVersions: ['v1'],
  operations: ['CREATE'],
  resources,
});
const policy = (rules: object[], ...expressions: string[]) =>
  ({
    spec: {
      matchConstraints: { resourceRules: rules },
      validations: expressions.map((expression) => ({ expression })),
    },
  }) as unknown as ValidatingAdmissionPolicy;
const deployments = rule(['apps'], ['deployments']);

test('expressions that fit the kinds they are about are not warned of', () => {
  const fine = policy(
    [deployments],
    'object.spec.replicas <= 5',
    'object.metadata.labels["a"] == "b" && !has(object.metadata.deletionTimestamp)',
    'object.spec.template.spec.containers.all(c, c.image.startsWith("x") && c.resources.limits["cpu"] == "1")',
    'oldObject == null || object.spec.paused != oldObject.spec.paused',
    'object.spec.strategy.rollingUpdate.maxSurge == "1"',
    'object.metadata.creationTimestamp < timestamp("2030-01-01T00:00:00Z")',
  );
  assert.deepEqual(checkTypes(fine, kinds), []);
});

test('what does not fit is told for each expression and kind, as Kubernetes tells it', () => {
  const wrong = policy(
    [rule(['apps'], ['replicasets', 'deployments'])],
    'true',
    'object.spec.paused == true',
    'object.replicas > 1',
  );
  const [paused, replicas] = checkTypes(wrong, kinds);
  assert.equal(paused!.fieldRef, 'spec.validations[1].expression');
  assert.match(
    paused!.warning,
    /^apps\/v1, Kind=ReplicaSet: compilation failed: ERROR: <input>:1:12: undefined field 'paused'\n \| object\.spec\.paused == true\n \| \.+\^\n$/,
  );
  assert.equal(replicas!.fieldRef, 'spec.validations[2].expression');
  const parts = replicas!.warning.split('\n\n');
  assert.deepEqual(
    parts.map((part) => part.slice(0, part.indexOf(':'))),
    ['apps/v1, Kind=Deployment', 'apps/v1, Kind=ReplicaSet'],
  );
});

test('variables, message expressions and parameters have their types too', () => {
  const made = policy([deployments], 'variables.size > params.data["x"]');
  made.spec!.variables = [{ name: 'size', expression: 'object.spec.replicas' }];
  made.spec!.paramKind = { apiVersion: 'v1', kind: 'ConfigMap' };
  made.spec!.validations![0]!.messageExpression = 'object.spec.nothing';
  const warnings = checkTypes(made, kinds);
  assert.deepEqual(
    warnings.map(({ fieldRef }) => fieldRef),
    ['spec.validations[0].expression', 'spec.validations[0].messageExpression'],
  );
  assert.match(warnings[0]!.warning, /found no matching overload for '_>_' applied to '\(int, string\)'/);
});

test('rules with wildcards and subresources name no kinds, and not more than ten are looked at', () => {
  for (const rules of [[rule(['*'], ['pods'])], [rule([''], ['*'])], [rule([''], ['pods/exec'])]]) {
    assert.deepEqual(checkTypes(policy(rules, 'object.nothing'), kinds), []);
  }
  const core = kinds
    .filter(({ group, version }) => group === '' && version === 'v1')
    .map(({ plural }) => plural);
  assert.ok(core.length > kindsCheckedMax);
  const [all] = checkTypes(policy([rule([''], core)], 'object.nothing'), kinds);
  assert.equal(all!.warning.split('\n\n').length, kindsCheckedMax);
});

test('custom resources are checked by the schema of their definition, with the metadata that all objects have', () => {
  const schema = {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
    },
  };
  const version = { name: 'v1', served: true, storage: true, schema };
  const names = { plural: 'boxes', singular: 'box', kind: 'Box' };
  const definition = {
    metadata: { name: 'boxes.example.com' },
    spec: { group: 'example.com', scope: 'Namespaced', names, versions: [version] },
  } as unknown as CustomResourceDefinition;
  const box = customKind(definition, definition.spec.versions[0]!);
  const boxes = rule(['example.com'], ['boxes']);
  assert.deepEqual(
    checkTypes(policy([boxes], 'object.spec.size > 1 && object.metadata.labels["a"] == "b"'), [box]),
    [],
  );
  assert.match(
    checkTypes(policy([boxes], 'object.spec.width > 1'), [box])[0]!.warning,
    /^example.com\/v1, Kind=Box: .*undefined field 'width'/,
  );
});
