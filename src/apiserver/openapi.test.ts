import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from './test-server.ts';

let running: TestServer;
before(async () => {
  running = await startTestServer({ listens: false });
});
after(() => running.close());

// biome-ignore lint/suspicious/noExplicitAny: documents are walked freely here.
type Document = any;

async function get(path: string): Promise<{ code: number; body: Document }> {
  const [pathname = '', search] = path.split('?');
  const answer = await running.server.transport()({
    method: 'GET',
    path: pathname,
    query: new URLSearchParams(search),
    headers: { accept: 'application/json' },
  });
  if (answer.kind === 'object') return { code: answer.code, body: answer.object };
  if (answer.kind !== 'bytes') throw new Error(`${path} is answered with ${answer.kind}`);
  return { code: answer.code, body: JSON.parse(await text(answer.bytes)) };
}

test('every document that the index of OpenAPI v3 names is there, those of groups and of the roots too', async () => {
  const { body } = await get('/openapi/v3');
  const paths: Record<string, { serverRelativeURL: string }> = body.paths;
  // As kube-apiserver 1.32 lists them.
  for (const path of ['api', 'api/v1', 'apis', 'apis/apps', 'apis/apps/v1', 'apis/rbac.authorization.k8s.io'])
    assert.ok(paths[path], path);
  for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
    const { code, body: document } = await get(serverRelativeURL);
    assert.deepEqual([code, document.openapi], [200, '3.0.0'], path);
  }
  const { body: group } = await get('/openapi/v3/apis/rbac.authorization.k8s.io');
  const asked = group.paths['/apis/rbac.authorization.k8s.io/'].get;
  assert.equal(asked.operationId, 'getRbacAuthorizationAPIGroup');
  const schemas = Object.keys(group.components.schemas).map((name) => name.split('.').at(-1));
  assert.deepEqual(schemas.sort(), ['APIGroup', 'GroupVersionForDiscovery', 'ServerAddressByClientCIDR']);
});
