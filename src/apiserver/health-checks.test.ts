import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthChecks } from './health-checks.ts';
import { startTestServer } from './test-server.ts';
import type { User } from './user.ts';

async function ask(health: HealthChecks, target: string): Promise<string> {
  const { pathname, searchParams } = new URL(target, 'https://server');
  const answer = health.answer(pathname, searchParams);
  assert.equal(answer.kind, 'bytes');
  let text = '';
  if (answer.kind === 'bytes') for await (const chunk of answer.bytes) text += Buffer.from(chunk).toString();
  return `${answer.code} ${text}`;
}

function finished(health: HealthChecks): HealthChecks {
  for (const hook of [
    'bootstrap-controller',
    'rbac/bootstrap-roles',
    'scheduling/bootstrap-system-priority-classes',
    'priority-and-fairness-config-producer',
  ] as const)
    health.finish(hook);
  return health;
}

test('a server is not ready before all that its start consists of is finished, and says what is missing', async () => {
  const health = new HealthChecks({ readStore: () => {} });
  const started = health.expect('start-controllers');
  finished(health);
  assert.equal(
    await ask(health, '/readyz'),
    `500 [+]ping ok
[+]log ok
[+]etcd ok
[+]etcd-readiness ok
[+]poststarthook/bootstrap-controller ok
[+]poststarthook/rbac/bootstrap-roles ok
[+]poststarthook/scheduling/bootstrap-system-priority-classes ok
[+]poststarthook/priority-and-fairness-config-producer ok
[-]poststarthook/start-controllers failed: reason withheld
[+]shutdown ok
readyz check failed
`,
  );
  assert.equal(
    await ask(health, '/readyz/poststarthook/start-controllers'),
    '500 internal server error: not finished\n',
  );
  started();
  assert.equal(await ask(health, '/readyz'), '200 ok');
  assert.equal(await ask(health, '/readyz/poststarthook/start-controllers'), '200 ok');
});

test('a server that stops lives and is not ready', async () => {
  const health = finished(new HealthChecks({ readStore: () => {} }));
  health.stopping();
  assert.equal(await ask(health, '/livez'), '200 ok');
  assert.match(
    await ask(health, '/readyz'),
    /^500 (?:.*\n)*\[-\]shutdown failed: reason withheld\nreadyz check failed\n$/,
  );
});

test('checks may be left out by name; a name that there is none of is told', async () => {
  const health = finished(
    new HealthChecks({
      readStore: () => {
        throw new Error('disk I/O error');
      },
    }),
  );
  assert.match(await ask(health, '/livez'), /^500 .*\n\[\+\]log ok\n\[-\]etcd failed: reason withheld\n/);
  assert.equal(await ask(health, '/livez?exclude=etcd'), '200 ok');
  assert.equal(await ask(health, '/livez/etcd'), '500 internal server error: disk I/O error\n');
  const verbose = await ask(health, '/livez?verbose&exclude=etcd&exclude=nothing');
  assert.match(verbose, /\n\[\+\]etcd excluded: ok\n/);
  assert.match(
    verbose,
    /\nwarn: some health checks cannot be excluded: no matches for "nothing"\nlivez check passed\n$/,
  );
});

test('HEAD is answered where GET is, but for resources, where the answer says what is allowed', async () => {
  const { port, close, authority, issueClient } = await startTestServer();
  const { certificatePem, privateKeyPem } = issueClient('admin');
  const { request } = await import('node:https');
  const ask = (method: string, path: string) =>
    new Promise<{ code?: number; allow?: string; text: string }>((resolve, reject) => {
      const tls = { ca: authority.caPem, cert: certificatePem, key: privateKeyPem, agent: false as const };
      const sent = request({ host: '127.0.0.1', port, path, method, ...tls }, async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        const { allow } = response.headers;
        resolve({ code: response.statusCode!, text, ...(allow !== undefined && { allow }) });
      });
      sent.on('error', reject).end();
    });
  try {
    assert.deepEqual(await ask('HEAD', '/readyz'), { code: 200, text: '' });
    assert.deepEqual(await ask('HEAD', '/version'), { code: 200, text: '' });
    assert.deepEqual(await ask('HEAD', '/api/v1/nodes'), { code: 405, text: '', allow: 'POST, DELETE, GET' });
    assert.equal((await ask('POST', '/version')).allow, 'GET, HEAD');
    assert.equal((await ask('PUT', '/api/v1/nodes')).allow, 'POST, DELETE, GET');
    assert.equal((await ask('POST', '/api/v1/nodes/n')).allow, 'DELETE, GET, PATCH, PUT');
    assert.equal((await ask('DELETE', '/api/v1/nodes/n/status')).allow, 'GET, PUT, PATCH');
    assert.equal((await ask('TRACE', '/api/v1/nodes')).allow, 'GET, HEAD, POST, PUT, PATCH, DELETE');
  } finally {
    await close();
  }
});

test('anybody may ask whether the server is ready; single checks, which say more, take a role', async () => {
  const { server, close } = await startTestServer({ listens: false });
  const codeOf = async (user: User, path: string) =>
    (await server.transport(user)({ method: 'GET', path, query: new URLSearchParams(), headers: {} })).code;
  const anonymous = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
  const monitoring = { name: 'm', groups: ['system:monitoring', 'system:authenticated'] };
  try {
    assert.equal(await codeOf(anonymous, '/readyz'), 200);
    assert.equal(await codeOf(anonymous, '/readyz/ping'), 403);
    assert.equal(await codeOf(monitoring, '/readyz/ping'), 200);
    assert.equal(await codeOf(monitoring, '/readyz/no-such-check'), 404);
  } finally {
    await close();
  }
});
