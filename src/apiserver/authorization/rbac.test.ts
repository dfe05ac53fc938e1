import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { configMap, mergePatch, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import type { User } from '../user.ts';
import { reconcileDefaultRoles } from './reconcile-roles.ts';

let running: TestServer;
let admin: Transport;
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const inDefault = `${rbac}/namespaces/default`;
const maps = '/api/v1/namespaces/default/configmaps';
const apiGroup = 'rbac.authorization.k8s.io';

const user = (name: string, ...groups: string[]): User => ({
  name,
  groups: [...groups, 'system:authenticated'],
});
const as = (who: User) => running.server.transport(who);
const code = async (who: User, line: string, body?: object) =>
  (await send(as(who), line, body ? { body } : {})).code;

const roleOf = (name: string, resources: string[], verbs: string[], more: object = {}) => ({
  metadata: { name },
  rules: [{ apiGroups: [''], resources, verbs, ...more }],
});
const bindingOf = (name: string, kind: string, role: string, ...subjects: object[]) => ({
  metadata: { name },
  roleRef: { apiGroup, kind, name: role },
  subjects,
});
const userSubject = (name: string) => ({ kind: 'User', apiGroup, name });

/** The index follows the store by a watch: what was written holds a moment later. */
async function eventually(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail(what);
}

async function must(line: string, body: object): Promise<void> {
  const answer = await send(admin, line, { body });
  assert.ok(answer.code < 300, `${line}: ${answer.object.message}`);
}

before(async () => {
  running = await startTestServer({ listens: false });
  admin = running.server.transport();
  await must(`POST ${maps}`, configMap('one'));
  await must(`POST ${maps}`, configMap('two'));
});
after(() => running.close());

test('nobody may do anything before a binding says so, and nothing any more when it is gone', async () => {
  const ann = user('ann');
  assert.equal(await code(ann, `GET ${maps}`), 403);
  await must(`POST ${inDefault}/roles`, roleOf('reader', ['configmaps'], ['get', 'list']));
  await must(`POST ${inDefault}/rolebindings`, bindingOf('ann-reads', 'Role', 'reader', userSubject('ann')));
  await eventually(async () => (await code(ann, `GET ${maps}`)) === 200, 'ann reads');
  assert.equal(await code(ann, `GET ${maps}/one`), 200);
  assert.equal(await code(ann, `DELETE ${maps}/one`), 403);
  assert.equal(await code(ann, 'GET /api/v1/namespaces/kube-system/configmaps'), 403);
  assert.equal(await code(ann, 'GET /api/v1/configmaps'), 403);
  assert.equal(await code(ann, 'GET /api/v1/namespaces/default/secrets'), 403);
  assert.equal(await code(user('bob'), `GET ${maps}`), 403);
  await send(admin, `DELETE ${inDefault}/rolebindings/ann-reads`);
  await eventually(async () => (await code(ann, `GET ${maps}`)) === 403, 'ann reads no more');
});

test('a group and a service account are given roles too', async () => {
  const subjects = [
    { kind: 'Group', apiGroup, name: 'readers' },
    { kind: 'ServiceAccount', name: 'robot', namespace: 'kube-system' },
  ];
  await must(`POST ${rbac}/clusterroles`, roleOf('map-reader', ['configmaps'], ['list']));
  await must(
    `POST ${rbac}/clusterrolebindings`,
    bindingOf('read-maps', 'ClusterRole', 'map-reader', ...subjects),
  );
  const everywhere = 'GET /api/v1/configmaps';
  await eventually(async () => (await code(user('eve', 'readers'), everywhere)) === 200, 'the group reads');
  assert.equal(await code(user('system:serviceaccount:kube-system:robot'), everywhere), 200);
  assert.equal(await code(user('system:serviceaccount:default:robot'), everywhere), 403);
});

test('a rule for one name does not open others, however the request is put', async () => {
  const kim = user('kim');
  await must(
    `POST ${inDefault}/roles`,
    roleOf('only-one', ['configmaps'], ['get', 'list', 'watch', 'deletecollection'], {
      resourceNames: ['one'],
    }),
  );
  await must(`POST ${inDefault}/rolebindings`, bindingOf('kim-one', 'Role', 'only-one', userSubject('kim')));
  await eventually(async () => (await code(kim, `GET ${maps}/one`)) === 200, 'kim reads one');
  const selector = (text: string) => `GET ${maps}?fieldSelector=${encodeURIComponent(text)}`;
  assert.equal(await code(kim, selector('metadata.name=one')), 200);
  for (const line of [
    `GET ${maps}/two`,
    `GET ${maps}`,
    selector('metadata.name=two'),
    selector('metadata.name!=one'),
    selector('metadata.namespace!=x\\,metadata.name=one'),
    `${selector('metadata.name!=x')}&fieldSelector=metadata.name%3Done`,
    `DELETE ${maps}?fieldSelector=metadata.name%3Done`,
  ]) {
    assert.equal(await code(kim, line), 403, line);
  }
});

test('a refusal says which role of a binding is not there', async () => {
  await must(`POST ${inDefault}/rolebindings`, bindingOf('dangling', 'Role', 'nothing', userSubject('dan')));
  const expected =
    'configmaps is forbidden: User "dan" cannot list resource "configmaps" in API group "" in the namespace "default": ' +
    'RBAC: role.rbac.authorization.k8s.io "nothing" not found';
  let message = '';
  await eventually(async () => {
    message = (await send(as(user('dan')), `GET ${maps}`)).object.message;
    return message === expected;
  }, message);
});

test('nobody gives away more than they hold', async () => {
  const lou = user('lou', 'team');
  await must(`POST ${inDefault}/roles`, {
    metadata: { name: 'rbac-writer' },
    rules: [
      { apiGroups: [apiGroup], resources: ['roles', 'rolebindings'], verbs: ['*'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] },
    ],
  });
  // Not `escalate` and `bind`, which `*` includes.
  await must(`PUT ${inDefault}/roles/rbac-writer`, {
    metadata: { name: 'rbac-writer' },
    rules: [
      {
        apiGroups: [apiGroup],
        resources: ['roles', 'rolebindings'],
        verbs: ['create', 'update', 'patch', 'get'],
      },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] },
    ],
  });
  await must(
    `POST ${inDefault}/rolebindings`,
    bindingOf('lou-writes', 'Role', 'rbac-writer', userSubject('lou')),
  );
  const make = (body: object) => send(as(lou), `POST ${inDefault}/roles`, { body });
  await eventually(
    async () => (await make(roleOf('held', ['configmaps'], ['get']))).code === 201,
    'lou writes',
  );
  const refused = await make(roleOf('more', ['configmaps', 'secrets'], ['get']));
  assert.equal(refused.code, 403);
  assert.equal(
    refused.object.message,
    'roles.rbac.authorization.k8s.io "more" is forbidden: user "lou" (groups=["team" "system:authenticated"]) is ' +
      'attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
  );
  const widened = { rules: [{ apiGroups: [''], resources: ['*'], verbs: ['get'] }] };
  assert.equal((await mergePatch(as(lou), `${inDefault}/roles/held`, widened)).code, 403);
  assert.equal(
    (await mergePatch(as(lou), `${inDefault}/roles/rbac-writer`, { metadata: { labels: { a: 'b' } } })).code,
    200,
  );
  const bind = (body: object) => send(as(lou), `POST ${inDefault}/rolebindings`, { body });
  assert.equal((await bind(bindingOf('a', 'ClusterRole', 'cluster-admin', userSubject('lou')))).code, 403);
  assert.equal((await bind(bindingOf('a', 'ClusterRole', 'view', userSubject('lou')))).code, 403);
  assert.equal((await bind(bindingOf('a', 'Role', 'not-there', userSubject('lou')))).code, 404);
  await eventually(
    async () => (await bind(bindingOf('a', 'Role', 'held', userSubject('lou')))).code === 201,
    'binds',
  );
  // Aggregation could bring in anything, so it takes everything; `escalate` lifts that for the roles that it names.
  const aggregated = {
    metadata: { name: 'all-of-it' },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { any: 'role' } }] },
  };
  await must(`POST ${rbac}/clusterroles`, {
    metadata: { name: 'role-maker' },
    rules: [{ apiGroups: [apiGroup], resources: ['clusterroles'], verbs: ['create'] }],
  });
  await must(
    `POST ${rbac}/clusterrolebindings`,
    bindingOf('lou-makes', 'ClusterRole', 'role-maker', userSubject('lou')),
  );
  const aggregate = () => send(as(lou), `POST ${rbac}/clusterroles`, { body: aggregated });
  const why = /must have cluster-admin privileges to use the aggregationRule/;
  await eventually(async () => why.test((await aggregate()).object.message), 'aggregation is refused');
  await must(`POST ${rbac}/clusterroles`, {
    metadata: { name: 'escalator' },
    rules: [
      {
        apiGroups: [apiGroup],
        resources: ['clusterroles'],
        verbs: ['escalate'],
        resourceNames: ['all-of-it'],
      },
    ],
  });
  await must(
    `POST ${rbac}/clusterrolebindings`,
    bindingOf('lou-escalates', 'ClusterRole', 'escalator', userSubject('lou')),
  );
  await eventually(async () => (await aggregate()).code === 201, 'lou may escalate');
  // With `bind` on one role, that role and no other.
  await must(`POST ${rbac}/clusterroles`, {
    metadata: { name: 'may-bind-view' },
    rules: [{ apiGroups: [apiGroup], resources: ['clusterroles'], verbs: ['bind'], resourceNames: ['view'] }],
  });
  await must(
    `POST ${rbac}/clusterrolebindings`,
    bindingOf('lou-binds', 'ClusterRole', 'may-bind-view', userSubject('lou')),
  );
  await eventually(
    async () => (await bind(bindingOf('b', 'ClusterRole', 'view', userSubject('lou')))).code === 201,
    'binds view',
  );
  assert.equal((await bind(bindingOf('c', 'ClusterRole', 'edit', userSubject('lou')))).code, 403);
});

test('who may update makes nothing new by it', async () => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const rules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['update', 'patch'] }];
  await must(`POST ${inDefault}/roles`, { metadata: { name: 'lease-updater' }, rules });
  const binding = bindingOf('una-updates', 'Role', 'lease-updater', userSubject('una'));
  await must(`POST ${inDefault}/rolebindings`, binding);
  await must(`POST ${leases}`, { metadata: { name: 'there' } });
  const put = (name: string) =>
    send(as(user('una')), `PUT ${leases}/${name}`, { body: { metadata: { name } } });
  await eventually(async () => (await put('there')).code === 200, 'una updates');
  const made = await put('new');
  assert.equal(made.code, 403);
  assert.match(made.object.message, /User "una" cannot create resource "leases"/);
});

test('view reads without secrets, edit writes without roles, admin writes roles of its namespace', async () => {
  for (const [who, role] of [
    ['vic', 'view'],
    ['edi', 'edit'],
    ['ada', 'admin'],
  ] as const) {
    await must(
      `POST ${inDefault}/rolebindings`,
      bindingOf(`is-${role}`, 'ClusterRole', role, userSubject(who)),
    );
  }
  await eventually(async () => (await code(user('ada'), `GET ${maps}`)) === 200, 'ada reads');
  const secrets = '/api/v1/namespaces/default/secrets';
  const codes = (who: string) =>
    Promise.all([
      code(user(who), `GET ${maps}`),
      code(user(who), `GET ${secrets}`),
      code(user(who), `POST ${maps}`, configMap(`of-${who}`)),
      code(user(who), `GET ${inDefault}/roles`),
      code(user(who), 'GET /api/v1/nodes'),
      code(user(who), `POST ${rbac}/clusterroles`, roleOf('x', ['pods'], ['get'])),
    ]);
  assert.deepEqual(await codes('vic'), [200, 403, 403, 403, 403, 403]);
  assert.deepEqual(await codes('edi'), [200, 200, 201, 403, 403, 403]);
  assert.deepEqual(await codes('ada'), [200, 200, 201, 200, 403, 403]);
});

test("what default roles lack they get back; what was added stays; one's own wish is kept", async () => {
  const path = (name: string) => `${rbac}/clusterroles/${name}`;
  const extra = { apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] };
  await mergePatch(admin, path('system:discovery'), { rules: [extra] });
  const isOff = { metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } } };
  await mergePatch(admin, path('system:monitoring'), { ...isOff, rules: [] });
  await send(admin, `DELETE ${rbac}/clusterrolebindings/system:basic-user`);
  await reconcileDefaultRoles(admin);
  const { rules } = (await send(admin, `GET ${path('system:discovery')}`)).object;
  assert.equal(rules.length, 2);
  assert.deepEqual(rules[0], extra);
  assert.deepEqual((await send(admin, `GET ${path('system:monitoring')}`)).object.rules, []);
  assert.equal((await send(admin, `GET ${rbac}/clusterrolebindings/system:basic-user`)).code, 200);
});

test('roles and bindings are checked in the words of Kubernetes', async () => {
  const message = async (path: string, body: object) =>
    (await send(admin, `POST ${path}`, { body })).object.message;
  assert.equal(
    await message(`${inDefault}/roles`, { metadata: { name: 'r' }, rules: [{ verbs: [] }] }),
    'Role.rbac.authorization.k8s.io "r" is invalid: [rules[0].verbs: Required value: verbs must contain at least one value, ' +
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group, ' +
      'rules[0].resources: Required value: resource rules must supply at least one resource]',
  );
  assert.match(
    await message(`${inDefault}/roles`, {
      metadata: { name: 'r' },
      rules: [{ verbs: ['get'], nonResourceURLs: ['/a'] }],
    }),
    /rules\[0\]\.nonResourceURLs: Invalid value: \[\]string\{"\/a"\}: namespaced rules cannot apply to non-resource URLs/,
  );
  assert.match(
    await message(`${rbac}/clusterrolebindings`, bindingOf('b', 'Role', 'x')),
    /roleRef\.kind: Unsupported value: "Role": supported values: "ClusterRole"/,
  );
  await must(
    `POST ${inDefault}/rolebindings`,
    bindingOf('fixed', 'ClusterRole', 'view', { kind: 'User', name: 'u' }),
  );
  const changed = await send(admin, `PUT ${inDefault}/rolebindings/fixed`, {
    body: bindingOf('fixed', 'ClusterRole', 'edit'),
  });
  assert.equal(changed.code, 422);
  assert.match(changed.object.message, /roleRef: Invalid value: .*: cannot change roleRef/);
});
