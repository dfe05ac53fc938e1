import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { kinds } from '../../api/kinds/index.ts';
import { pathOf } from '../../api/object.ts';
import { reviewKinds } from '../reviews.ts';
import { send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import type { User } from '../user.ts';

/** What each kind of client reaches in a cluster in which nobody was given anything: a list to be read when it changes. */

let running: TestServer;

before(async () => {
  running = await startTestServer({ listens: false });
});
after(() => running.close());

const account: User = {
  name: 'system:serviceaccount:default:default',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
};
const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
const node: User = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };
const joining: User = {
  name: 'system:bootstrap:x',
  groups: ['system:bootstrappers', 'system:authenticated'],
};

const subresources = [
  'status',
  'scale',
  'token',
  'log',
  'exec',
  'binding',
  'eviction',
  'approval',
  'finalize',
];

/** Every request that is not refused, as `METHOD resource[/subresource]`; objects of names that nobody has. */
async function reached(user: User): Promise<string[]> {
  const transport = running.server.transport(user);
  const found: string[] = [];
  for (const kind of kinds) {
    const namespace = kind.namespaced ? 'default' : undefined;
    const all = pathOf(kind, { namespace });
    const one = pathOf(kind, { namespace, name: 'none' });
    const lines: [string, string][] = [
      ['list', `GET ${all}`],
      ['create', `POST ${all}`],
      ['deletecollection', `DELETE ${all}?labelSelector=no%3Dne`],
      ['get', `GET ${one}`],
      ['update', `PUT ${one}`],
      ['patch', `PATCH ${one}`],
      ['delete', `DELETE ${one}`],
      ...subresources.flatMap((name): [string, string][] => [
        [`get …/${name}`, `GET ${one}/${name}`],
        [`create …/${name}`, `POST ${one}/${name}`],
        [`update …/${name}`, `PUT ${one}/${name}`],
        [`patch …/${name}`, `PATCH ${one}/${name}`],
      ]),
    ];
    for (const [verb, line] of lines) {
      const { code } = await send(transport, line, line.startsWith('GET') ? {} : { body: {} });
      if (code !== 403) found.push(`${verb} ${kind.plural}`);
    }
  }
  for (const { group, version, plural } of reviewKinds) {
    const body = { spec: { token: 'x', user: 'x', namespace: 'default' } };
    const { code } = await send(transport, `POST /apis/${group}/${version}/${plural}`, { body });
    if (code !== 403) found.push(`create ${plural}`);
  }
  // Events are there in two groups.
  return [...new Set(found)].sort();
}

const selfReviews = [
  'create selfsubjectaccessreviews',
  'create selfsubjectreviews',
  'create selfsubjectrulesreviews',
];

test('a service account that was given nothing asks about itself, and reaches no object', async () => {
  assert.deepEqual(await reached(account), selfReviews);
});

test('who has no name reaches nothing', async () => {
  assert.deepEqual(await reached(anonymous), []);
});

test('a machine that joins reaches certificate requests alone', async () => {
  const requests = ['create', 'get', 'list'].map((verb) => `${verb} certificatesigningrequests`);
  assert.deepEqual(await reached(joining), [...requests, ...selfReviews].sort());
});

test('a node reaches what it needs for its pods, and nothing that is not there', async () => {
  assert.deepEqual(await reached(node), [
    // Its own pods only; of these there is none.
    'create certificatesigningrequests',
    'create events',
    ...selfReviews,
    'delete pods',
    ...['certificatesigningrequests', 'endpointslices', 'nodes', 'persistentvolumes', 'pods', 'services'].map(
      (what) => `get ${what}`,
    ),
    ...['certificatesigningrequests', 'endpointslices', 'nodes', 'persistentvolumes', 'services'].map(
      (what) => `list ${what}`,
    ),
    'patch events',
    'patch …/status pods',
    'update events',
    'update …/status pods',
  ]);
});

test('paths of the server are open as far as they say nothing of the cluster', async () => {
  const codes = async (user: User) => {
    const opened: string[] = [];
    for (const path of [
      '/livez',
      '/version',
      '/api',
      '/apis',
      '/openapi/v3',
      '/metrics',
      '/openid/v1/jwks',
      '/',
      '/logs',
    ]) {
      const answer = await running.server.transport(user)({
        method: 'GET',
        path,
        query: new URLSearchParams(),
        headers: {},
      });
      if (answer.code !== 403) opened.push(path);
    }
    return opened;
  };
  assert.deepEqual(await codes(anonymous), ['/livez', '/version']);
  const discovery = ['/livez', '/version', '/api', '/apis', '/openapi/v3'];
  assert.deepEqual(await codes(node), discovery);
  assert.deepEqual(await codes(account), [...discovery, '/openid/v1/jwks']);
});
