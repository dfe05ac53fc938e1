import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, strictErrorsMax } from './decode.ts';
import { duplicateFields } from './duplicate-fields.ts';
import { deployment } from './kinds/deployment.ts';
import { pod } from './kinds/pod.ts';
import { secret } from './kinds/secret.ts';

const deploymentWith = (spec: object) => ({ apiVersion: 'apps/v1', kind: 'Deployment', spec });
const containerWith = (fields: object) => ({ spec: { containers: [{ name: 'a', ...fields }] } });
const badDeployment = 'Deployment in version "v1" cannot be handled as a Deployment: ';

test('unknown fields are refused, warned about or dropped in silence, as the client asks', () => {
  const value = {
    ...deploymentWith({ replica: 3, template: { spec: { containers: [{ nam: 'x' }] } } }),
    foo: 1,
  };
  const warned = decode(deployment, value);
  assert.deepEqual(warned.warnings, [
    'unknown field "spec.replica"',
    'unknown field "spec.template.spec.containers[0].nam"',
    'unknown field "foo"',
  ]);
  assert.deepEqual(warned.object.spec as object, { template: { spec: { containers: [{}] } } });
  assert.deepEqual(decode(deployment, value, { fieldValidation: 'Ignore' }).warnings, []);
  assert.throws(() => decode(deployment, value, { fieldValidation: 'Strict' }), {
    reason: 'BadRequest',
    message: `${badDeployment}strict decoding error: ${warned.warnings.join(', ')}`,
  });
});

test('a wrong JSON type is a BadRequest that names the field as Go does', () => {
  const table: [object, string][] = [
    [
      { replicas: 'three' },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { replicas: 1.5 },
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { paused: 'yes' },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool',
    ],
    [
      { template: { spec: { containers: [{ name: 5 }] } } },
      'json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string',
    ],
    [
      { template: { spec: { containers: {} } } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    [
      { selector: [] },
      'json: cannot unmarshal array into Go struct field DeploymentSpec.spec.selector of type v1.LabelSelector',
    ],
  ];
  for (const [spec, message] of table) {
    assert.throws(() => decode(deployment, deploymentWith(spec)), {
      reason: 'BadRequest',
      message: badDeployment + message,
    });
  }
});

test('another kind or version, or no object at all, is a BadRequest', () => {
  for (const value of [null, 'x', [], { kind: 'Pod' }, { apiVersion: 'v1' }]) {
    assert.throws(() => decode(deployment, value), { reason: 'BadRequest' }, JSON.stringify(value));
  }
  assert.equal(decode(deployment, {}).object.kind, 'Deployment');
});

test('nulls are dropped, quantities and times come in their canonical form', () => {
  const { object } = decode(pod, {
    metadata: {
      creationTimestamp: null,
      labels: { a: 'b' },
      deletionTimestamp: '2026-01-01T01:00:00.5+01:00',
    },
    ...containerWith({ resources: { limits: { cpu: 0.5, memory: '1024Mi' } }, env: null }),
  });
  assert.deepEqual(object, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { labels: { a: 'b' }, deletionTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [{ name: 'a', resources: { limits: { cpu: '500m', memory: '1Gi' } } }] },
  });
});

test('bad quantities, times and base64 are refused', () => {
  assert.throws(
    () => decode(pod, containerWith({ resources: { limits: { cpu: 'lots' } } })),
    /quantities must match/,
  );
  assert.throws(() => decode(pod, { metadata: { creationTimestamp: 'today' } }), /parsing time "today"/);
  assert.throws(() => decode(secret, { data: { a: 'n?' } }), /illegal base64 data at input byte 1/);
  assert.throws(() => decode(secret, { data: { a: 'abc' } }), /illegal base64 data/);
});

test('names of Object.prototype are unknown fields like any other', () => {
  const value = JSON.parse('{"spec": {"containers": [], "constructor": 1, "__proto__": {"x": 1}}}');
  assert.deepEqual(decode(pod, value).warnings, [
    'unknown field "spec.constructor"',
    'unknown field "spec.__proto__"',
  ]);
});

test('the number of reported unknown fields is bounded', () => {
  const fields = Object.fromEntries(
    Array.from({ length: strictErrorsMax + 50 }, (_, index) => [`f${index}`, 1]),
  );
  assert.equal(decode(pod, fields).warnings.length, strictErrorsMax);
});

test('fields that occur twice in the text are found', () => {
  const text = '{"a": 1, "b": {"c": [{"d": 1}, {"d": 1, "d": "}"}], "c": 2}, "x\\"y": "\\\\", "a": {"a": 1}}';
  assert.deepEqual(duplicateFields(text), ['b.c[1].d', 'b.c', 'a']);
  assert.deepEqual(duplicateFields('[{"a": 1}, {"a": 1}]'), []);
  assert.throws(
    () => decode(pod, {}, { fieldValidation: 'Strict', duplicates: ['spec.x'] }),
    /strict decoding error: duplicate field "spec.x"/,
  );
});
