import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../../base/until.ts';
import type { Transport } from '../../../client/transport.ts';
import { send } from '../../test-request.ts';
import { startTestServer, type TestServer } from '../../test-server.ts';

let running: TestServer;
let api: Transport;

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
  for (const [name, labels] of [
    ['default', {}],
    ['staging', { environment: 'test' }],
  ] as const) {
    await send(api, 'POST /api/v1/namespaces', { body: { metadata: { name, labels } } });
  }
});
after(() => running.close());

const group = '/apis/admissionregistration.k8s.io/v1';
const configMaps = {
  resourceRules: [
    { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
  ],
};

async function policy(name: string, spec: object) {
  return send(api, `POST ${group}/validatingadmissionpolicies`, {
    body: { metadata: { name }, spec: { matchConstraints: configMaps, ...spec } },
  });
}

async function bind(name: string, spec: object = {}): Promise<void> {
  const { code, object } = await send(api, `POST ${group}/validatingadmissionpolicybindings`, {
    body: {
      metadata: { name: `${name}-binding` },
      spec: { policyName: name, validationActions: ['Deny'], ...spec },
    },
  });
  assert.equal(code, 201, object.message);
}

async function unbind(name: string): Promise<void> {
  await send(api, `DELETE ${group}/validatingadmissionpolicybindings/${name}-binding`);
}

const make = (name: string, data: Record<string, string>, namespace = 'default') =>
  send(api, `POST /api/v1/namespaces/${namespace}/configmaps`, { body: { metadata: { name }, data } });

test('a validation that fails refuses the write with its message and reason', async () => {
  await policy('limit', {
    variables: [{ name: 'count', expression: 'int(object.data.count)' }],
    validations: [
      {
        expression: 'variables.count <= 5',
        messageExpression: "'count is ' + string(variables.count)",
        reason: 'Forbidden',
      },
    ],
  });
  await bind('limit');
  const refused = await make('many', { count: '6' });
  assert.equal(refused.code, 403);
  const why = "ValidatingAdmissionPolicy 'limit' with binding 'limit-binding' denied request: count is 6";
  assert.equal(refused.object.message, `configmaps "many" is forbidden: ${why}`);
  assert.deepEqual(refused.object.details?.causes, [{ message: why }]);
  assert.equal((await make('few', { count: '5' })).code, 201);
  const failed = await make('none', {});
  assert.equal(failed.code, 422);
  assert.match(
    failed.object.message ?? '',
    /expression 'variables.count <= 5' resulted in error: no such key: /,
  );
  await unbind('limit');
});

test('Warn lets the write pass and says why not', async () => {
  await policy('warn', {
    validations: [{ expression: 'has(object.data.owner)', message: 'an owner is missing' }],
  });
  await bind('warn', { validationActions: ['Warn', 'Audit'] });
  const made = await make('warned', {});
  assert.equal(made.code, 201);
  assert.match(
    made.headers.warning ?? '',
    /Validation failed for ValidatingAdmissionPolicy 'warn' with binding 'warn-binding': an owner is missing/,
  );
  await unbind('warn');
});

test('parameters come from the object that the binding names; without them the binding decides', async () => {
  await make('settings', { max: '3' });
  await policy('params', {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConditions: [{ name: 'counted', expression: 'has(object.data.count)' }],
    validations: [{ expression: 'int(object.data.count) <= int(params.data.max)' }],
  });
  await bind('params', { paramRef: { name: 'settings', parameterNotFoundAction: 'Deny' } });
  assert.equal((await make('p2', { count: '2' })).code, 201);
  const refused = await make('p4', { count: '4' });
  assert.match(
    refused.object.message ?? '',
    /failed expression: int\(object\.data\.count\) <= int\(params\.data\.max\)$/,
  );
  assert.equal((await make('uncounted', {})).code, 201);
  const missing = await make('p1', { count: '1' }, 'staging');
  assert.match(
    missing.object.message ?? '',
    /failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction$/,
  );
  await unbind('params');
});

test('parameters can be custom resources, chosen by their labels, and each must agree', async () => {
  const properties = { max: { type: 'integer' } };
  const made = await send(api, 'POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: {
      metadata: { name: 'limits.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Cluster',
        names: { plural: 'limits', kind: 'Limit' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties } },
          },
        ],
      },
    },
  });
  assert.equal(made.code, 201, made.object.message);
  const limit = (name: string, max: number) =>
    send(api, 'POST /apis/example.com/v1/limits', {
      body: {
        apiVersion: 'example.com/v1',
        kind: 'Limit',
        metadata: { name, labels: { use: 'counts' } },
        max,
      },
    });
  const deadlineMs = Date.now() + 60_000;
  while ((await limit('low', 3)).code !== 201) {
    assert.ok(Date.now() < deadlineMs, 'the kind is served');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await limit('high', 9);
  await policy('custom', {
    paramKind: { apiVersion: 'example.com/v1', kind: 'Limit' },
    matchConstraints: {
      ...configMaps,
      excludeResourceRules: [{ ...configMaps.resourceRules[0], resourceNames: ['free'] }],
    },
    validations: [{ expression: 'int(object.data.count) <= params.max' }],
  });
  await bind('custom', {
    paramRef: { selector: { matchLabels: { use: 'counts' } }, parameterNotFoundAction: 'Deny' },
  });
  assert.equal((await make('c2', { count: '2' })).code, 201);
  assert.equal((await make('c5', { count: '5' })).code, 422);
  assert.equal((await make('free', { count: '5' })).code, 201);
  await unbind('custom');
});

test('a binding can be for some namespaces, and namespaceObject and request are known', async () => {
  await policy('places', {
    validations: [
      {
        expression:
          "namespaceObject.metadata.labels.environment != 'test' || request.userInfo.username == 'nobody'",
      },
    ],
  });
  await bind('places', { matchResources: { namespaceSelector: { matchLabels: { environment: 'test' } } } });
  assert.equal((await make('here', {})).code, 201);
  assert.equal((await make('there', {}, 'staging')).code, 422);
  await unbind('places');
});

test('authorizer asks what the user may do', async () => {
  await policy('rights', {
    validations: [
      { expression: "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()" },
    ],
  });
  await bind('rights');
  assert.equal((await make('by-admin', {})).code, 201);
  await unbind('rights');
});

test('failurePolicy Ignore passes over what cannot be evaluated', async () => {
  await policy('ignored', {
    failurePolicy: 'Ignore',
    validations: [{ expression: "object.data.missing == 'x'" }],
  });
  await bind('ignored');
  assert.equal((await make('passed', {})).code, 201);
  await unbind('ignored');
});

test('an expression that does not compile is refused with its place', async () => {
  const { code, object } = await policy('broken', {
    validations: [{ expression: 'object.x >' }, { expression: "'text'" }, { expression: 'nothing' }],
  });
  assert.equal(code, 422);
  assert.match(
    object.message ?? '',
    /spec\.validations\[0\]\.expression: Invalid value: "object\.x >": compilation failed: ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>' expecting /,
  );
  assert.match(
    object.message ?? '',
    /spec\.validations\[1\]\.expression: Invalid value: "'text'": must evaluate to bool/,
  );
  assert.match(object.message ?? '', /undeclared reference to 'nothing' \(in container ''\)/);
});

test('the status says that the policy was looked at', async () => {
  const { object } = await send(api, `GET ${group}/validatingadmissionpolicies/warn`);
  assert.equal(object.status.observedGeneration, 1);
});

test('a policy for one version judges writes of custom resources in another, unless it wants exactly that one', async () => {
  const names = { plural: 'boxes', kind: 'Box' };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const versions = ['v1', 'v1beta1'].map((name) => ({ name, served: true, storage: name === 'v1', schema }));
  await send(api, 'POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: {
      metadata: { name: 'boxes.example.com' },
      spec: { group: 'example.com', scope: 'Namespaced', names, versions },
    },
  });
  const write = async (name: string, version: string) => {
    const body = { apiVersion: `example.com/${version}`, kind: 'Box', metadata: { name } };
    return send(api, `POST /apis/example.com/${version}/namespaces/default/boxes`, { body });
  };
  await until('boxes are served', async () => (await write('first', 'v1beta1')).code === 201);
  const rule = { apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['*'], resources: ['boxes'] };
  const constrain = (matchPolicy: string) => ({
    matchConstraints: { matchPolicy, resourceRules: [rule] },
    validations: [{ expression: "object.apiVersion == 'example.com/v1beta1'", message: 'too new' }],
  });
  await policy('equivalent', constrain('Equivalent'));
  await bind('equivalent');
  assert.match((await write('no', 'v1beta1')).object.message ?? '', /too new/);
  await unbind('equivalent');
  await policy('exact', constrain('Exact'));
  await bind('exact');
  assert.match((await write('no', 'v1')).object.message ?? '', /too new/);
  assert.equal((await write('yes', 'v1beta1')).code, 201);
  await unbind('exact');
});

test('what does not fit the kinds of the rules is told in the status, and written anew with the policy', async () => {
  const typed = { validations: [{ expression: 'object.data.size() < 3 && object.spec.replicas > 1' }] };
  const made = await policy('typed', typed);
  assert.equal(made.code, 201, made.object.message);
  const [warning] = made.object.status.typeChecking.expressionWarnings;
  assert.equal(warning.fieldRef, 'spec.validations[0].expression');
  assert.match(
    warning.warning,
    /^v1, Kind=ConfigMap: compilation failed: ERROR: <input>:1:33: undefined field 'spec'/,
  );
  const { object } = await send(api, `PATCH ${group}/validatingadmissionpolicies/typed`, {
    body: { spec: { validations: [{ expression: 'object.data.size() < 3' }] } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.deepEqual(object.status, { observedGeneration: 2, typeChecking: {} });
});
