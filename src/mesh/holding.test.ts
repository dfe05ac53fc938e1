import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { json } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { until } from '../base/until.ts';
import { Balance } from './balance.ts';
import { decide } from './decide.ts';
import { Holding, heldMax } from './holding.ts';
import { createMeshClient } from './mesh-client.ts';
import type { Route, RouteTable } from './route-table.ts';

function table(port: number | undefined, holdSeconds: number): RouteTable {
  const at = { node: 'a', zone: '', isLocal: true, spiffeIds: [] };
  const endpoints = port === undefined ? [] : [{ ip: '127.0.0.1', port, ...at }];
  const route: Route = {
    namespace: 'default',
    name: 'web',
    clusterIPs: [],
    preferClose: false,
    localOnly: false,
    holdSeconds,
    ports: [{ name: '', port: 80, endpoints }],
  };
  return { version: '1', node: { name: 'a', zone: '' }, routes: [route] };
}

function client(t: TestContext) {
  const held: string[] = [];
  const mesh = createMeshClient({
    namespace: 'default',
    onHold: (service) => held.push(service),
    dial: async ({ host, port }) => {
      const socket = net.connect({ host, port });
      await once(socket, 'connect');
      return socket;
    },
  });
  t.after(() => mesh.close());
  return { mesh, held };
}

async function serve(t: TestContext): Promise<number> {
  const server = http.createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** As `node:http` asks, without `fetch`. */
async function ask(agent: http.Agent): Promise<http.IncomingMessage> {
  const request = http.get({ host: 'web', agent, path: '/' });
  const [response] = await once(request, 'response');
  return response;
}

test('requests to a Service without endpoints wait for the first one, however they are made', async (t) => {
  const { mesh, held } = client(t);
  mesh.setTable(table(undefined, 60));
  const fetched = mesh.fetch('http://web/', { method: 'POST', body: 'x' });
  const got = ask(mesh.httpAgent);
  await until('it is told', () => held.length > 0);
  mesh.setTable(table(await serve(t), 60));
  assert.equal(await (await fetched).text(), 'hello');
  assert.equal((await got).statusCode, 200);
  assert.equal(held[0], 'default/web');
});

test('a request whose only endpoint has just gone waits for the next one', async (t) => {
  const { mesh, held } = client(t);
  const gone = net.createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  mesh.setTable(table(port, 60));
  const fetched = mesh.fetch('http://web/');
  await until('it is told', () => held.length > 0);
  mesh.setTable(table(await serve(t), 60));
  assert.equal((await fetched).status, 200);
});

test('who waits in vain is told when to try again', async (t) => {
  const { mesh } = client(t);
  mesh.setTable(table(undefined, 0.05));
  const response = await mesh.fetch('http://web/');
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '5');
  const { error } = (await response.json()) as { error: string };
  assert.match(error, /Service "web" in namespace "default" has no ready endpoints; none came within 0.05 s/);
  const other = await ask(mesh.httpAgent);
  assert.equal(other.statusCode, 503);
  assert.equal(other.headers['retry-after'], '5');
  assert.deepEqual(Object.keys((await json(other)) as object), ['error']);
});

test('a bounded number of requests waits, and one that is given up makes room', async () => {
  const holding = new Holding({ onHold: () => {} });
  const asked = { host: 'web', port: 80, namespace: 'default', client: '' };
  const decided = (signal?: AbortSignal) =>
    holding.decided(() => decide(table(undefined, 60), asked, new Balance()), signal);
  const givenUp = new AbortController();
  const all = Array.from({ length: heldMax }, () => decided(givenUp.signal));
  assert.equal(holding.count, heldMax);
  const refused = await decided();
  assert.equal(refused.kind, 'refused');
  assert.match((refused as { reason: string }).reason, /256 requests wait for Services already/);
  assert.equal((refused as { retryAfterSeconds?: number }).retryAfterSeconds, 5);
  givenUp.abort();
  await Promise.all(all);
  assert.equal(holding.count, 0);
});
