import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { apiService as apiServiceKind } from '../api/kinds/apiService.ts';
import { configMap as configMapKind } from '../api/kinds/configMap.ts';
import { type Namespace, namespace as namespaceKind } from '../api/kinds/namespace.ts';
import { service as serviceKind } from '../api/kinds/service.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { until } from '../base/until.ts';
import { openAuthority } from '../identity/authority.ts';
import { find, startTestCluster, type TestCluster } from './test-cluster.ts';

const at = { group: 'wardle.example.com', version: 'v1alpha1' };
const flunders: KindAddress = { ...at, kind: 'Flunder', plural: 'flunders', namespaced: true };
const apiVersion = `${at.group}/${at.version}`;

/** Another API server, with flunders in memory. */
class Wardle {
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<ServerResponse>();

  add(namespace: string, name: string, metadata: KubeObject['metadata'] = {}): KubeObject {
    const uid = `uid-of-${name}`;
    const object = { apiVersion, kind: 'Flunder', metadata: { name, namespace, uid, ...metadata } };
    this.#objects.set(`${namespace}/${name}`, object);
    this.#tell('ADDED', object);
    return object;
  }

  names(): string[] {
    return [...this.#objects.keys()];
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url!, 'https://x');
    const json = (object: object, code = 200) =>
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(object));
    const verbs = ['get', 'list', 'watch', 'delete'];
    const resource = { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs };
    if (pathname === `/apis/${apiVersion}`) return void json({ resources: [resource] });
    if (searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      this.#watchers.add(response);
      return;
    }
    const [namespace, , name] = pathname.split('/namespaces/')[1]?.split('/') ?? [];
    if (name === undefined) {
      const items = [...this.#objects.values()].filter(
        ({ metadata }) => namespace === undefined || metadata?.namespace === namespace,
      );
      return void json({ metadata: { resourceVersion: '1' }, items });
    }
    const object = this.#objects.get(`${namespace}/${name}`);
    if (!object) return void json({ kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 }, 404);
    if (request.method === 'DELETE') {
      this.#objects.delete(`${namespace}/${name}`);
      this.#tell('DELETED', object);
    }
    json(object);
  }

  #tell(type: string, object: KubeObject): void {
    const metadata = { resourceVersion: '2', ...object.metadata };
    for (const watcher of this.#watchers) {
      watcher.write(`${JSON.stringify({ type, object: { ...object, metadata } })}\n`);
    }
  }
}

async function startWardle(t: TestContext): Promise<{ wardle: Wardle; cluster: TestCluster; end(): void }> {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-aggregated-'));
  const { chainPem: cert, privateKeyPem: key } = openAuthority({ dir }).issue({
    commonName: 'wardle',
    usages: ['server'],
    lifetimeSeconds: 600,
  });
  const wardle = new Wardle();
  const server = createServer({ cert, key }, (request, response) => wardle.answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cluster = await startTestCluster({ nodes: [] });
  const end = () => {
    server.closeAllConnections();
    server.close();
  };
  t.after(async () => {
    await cluster.close();
    end();
    rmSync(dir, { recursive: true, force: true });
  });
  const { client } = cluster;
  const { port } = server.address() as AddressInfo;
  await client.create(serviceKind, {
    metadata: { name: 'wardle', namespace: 'default' },
    spec: { type: 'ExternalName', externalName: '127.0.0.1' },
  });
  await client.create(apiServiceKind, {
    metadata: { name: `${at.version}.${at.group}` },
    spec: {
      ...at,
      groupPriorityMinimum: 1000,
      versionPriority: 15,
      insecureSkipTLSVerify: true,
      service: { namespace: 'default', name: 'wardle', port },
    },
  });
  await until('it is available', async () => {
    const found = await client.get(apiServiceKind, { name: `${at.version}.${at.group}` });
    return found.status?.conditions?.[0]?.status === 'True';
  });
  return { wardle, cluster, end };
}

test('what another API server holds owns and is owned', async (t) => {
  const { wardle, cluster } = await startWardle(t);
  const { client } = cluster;
  const owner = wardle.add('default', 'owner');
  const map = await client.create(configMapKind, {
    metadata: {
      name: 'of-owner',
      namespace: 'default',
      ownerReferences: [{ apiVersion, kind: 'Flunder', name: 'owner', uid: owner.metadata!.uid! }],
    },
  });
  const { uid = '' } = map.metadata ?? {};
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'of-owner', uid }];
  wardle.add('default', 'below', { ownerReferences });
  await client.delete(flunders, { namespace: 'default', name: 'owner' });
  await until('what it owned is gone', async () => !(await find(client, configMapKind, 'of-owner')));
  await until('and what that owned', async () => wardle.names().length === 0);
});

test('a namespace is emptied of what other API servers hold, and stays while one cannot be asked', async (t) => {
  const { wardle, cluster, end } = await startWardle(t);
  const { client } = cluster;
  await client.create(namespaceKind, { metadata: { name: 'team' } });
  wardle.add('team', 'one');
  wardle.add('default', 'another');
  await client.delete(namespaceKind, { name: 'team' });
  await until('the namespace is gone', async () => !(await find(client, namespaceKind, 'team', '')));
  assert.deepEqual(wardle.names(), ['default/another']);

  end();
  await client.create(namespaceKind, { metadata: { name: 'kept' } });
  await client.delete(namespaceKind, { name: 'kept' });
  const condition = await until('it says why it stays', async () => {
    const kept: Namespace | undefined = await find(client, namespaceKind, 'kept', '');
    return kept?.status?.conditions?.find(
      ({ type, status }) => type === 'NamespaceDeletionDiscoveryFailure' && status === 'True',
    );
  });
  assert.deepEqual(
    [condition.reason, condition.message],
    [
      'DiscoveryFailed',
      `Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: ${apiVersion}: stale GroupVersion discovery: ${apiVersion}`,
    ],
  );
  await client.delete(apiServiceKind, { name: `${at.version}.${at.group}` });
  await until('and goes with the version', async () => !(await find(client, namespaceKind, 'kept', '')));
});
