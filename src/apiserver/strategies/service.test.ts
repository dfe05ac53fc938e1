import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { mergePatch, send } from '../test-request.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { AddressPool } from './address-pool.ts';
import { PortPool } from './port-pool.ts';

let running: TestServer;
let api: Transport;
const services = '/api/v1/namespaces/default/services';

before(async () => {
  running = await startTestServer({ listens: false });
  api = running.server.transport();
});
after(() => running.close());

const service = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], selector: { app: name }, ...spec },
});

test('a service gets an address of its own, which it keeps through updates', async () => {
  const { object } = await send(api, `POST ${services}`, { body: service('kept') });
  assert.match(object.spec.clusterIP, /^10\.43\.\d+\.\d+$/);
  assert.deepEqual(object.spec.clusterIPs, [object.spec.clusterIP]);
  const put = await send(api, `PUT ${services}/kept`, { body: service('kept', { ports: [{ port: 81 }] }) });
  assert.equal(put.code, 200);
  assert.equal(put.object.spec.clusterIP, object.spec.clusterIP);
  const { object: other } = await send(api, `POST ${services}`, { body: service('other') });
  assert.notEqual(other.spec.clusterIP, object.spec.clusterIP);
});

test('an address can be asked for, once, and only of the service network', async () => {
  const wanted = { clusterIP: '10.43.77.7' };
  assert.equal((await send(api, `POST ${services}`, { body: service('first', wanted) })).code, 201);
  const { code, object } = await send(api, `POST ${services}`, { body: service('second', wanted) });
  assert.equal(code, 422);
  assert.match(object.message, /failed to allocate IP 10.43.77.7: provided IP is already allocated/);
  const outside = await send(api, `POST ${services}`, { body: service('third', { clusterIP: '10.1.1.1' }) });
  assert.match(outside.object.message, /the provided IP \(10\.1\.1\.1\) is not in the valid range/);
  await send(api, `DELETE ${services}/first`);
  assert.equal((await send(api, `POST ${services}`, { body: service('second', wanted) })).code, 201);
});

test('a headless service and an ExternalName have no address', async () => {
  const headless = await send(api, `POST ${services}`, { body: service('headless', { clusterIP: 'None' }) });
  assert.equal(headless.object.spec.clusterIP, 'None');
  const external = { type: 'ExternalName', externalName: 'example.com', ports: [] };
  const named = await send(api, `POST ${services}`, { body: service('named', external) });
  assert.equal(named.object.spec.clusterIP, undefined);
});

test('a load balancer that keeps to its nodes gets a port for their health, for as long as it is one', async () => {
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
  const { object } = await send(api, `POST ${services}`, { body: service('local', local) });
  const port = object.spec.healthCheckNodePort;
  assert.ok(port >= 30_000 && port <= 32_767);
  const put = await send(api, `PUT ${services}/local`, { body: service('local', local) });
  assert.equal(put.object.spec.healthCheckNodePort, port);
  const moved = await mergePatch(api, `${services}/local`, { spec: { healthCheckNodePort: 32_001 } });
  assert.match(moved.object.message, /spec.healthCheckNodePort: Forbidden: field is immutable/);
  const taken = await send(api, `POST ${services}`, {
    body: service('late', { ...local, healthCheckNodePort: port }),
  });
  const text = `failed to allocate requested HealthCheck NodePort ${port}: provided port is already allocated`;
  assert.match(taken.object.message, new RegExp(text));
  const wide = await mergePatch(api, `${services}/local`, { spec: { externalTrafficPolicy: 'Cluster' } });
  assert.equal(wide.object.spec.healthCheckNodePort, undefined);
  const again = await send(api, `POST ${services}`, {
    body: service('late', { ...local, healthCheckNodePort: port }),
  });
  assert.deepEqual([again.code, again.object.spec?.healthCheckNodePort], [201, port]);
  await send(api, `DELETE ${services}/late`);
  const inside = await mergePatch(api, `${services}/local`, { spec: { type: 'ClusterIP' } });
  assert.equal(inside.code, 200, inside.object.message);
  const { externalTrafficPolicy, allocateLoadBalancerNodePorts, ports } = inside.object.spec;
  assert.deepEqual([externalTrafficPolicy, allocateLoadBalancerNodePorts], [undefined, undefined]);
  assert.equal(ports[0].nodePort, undefined);
});

test('what only Services that are reached from outside have is refused elsewhere', async () => {
  const messageOf = async (spec: object) =>
    (await send(api, `POST ${services}`, { body: service('inside', spec) })).object.message;
  assert.match(
    await messageOf({ externalTrafficPolicy: 'Local' }),
    /spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services/,
  );
  assert.match(
    await messageOf({ type: 'NodePort', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 }),
    /may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'/,
  );
  assert.match(
    await messageOf({ allocateLoadBalancerNodePorts: false }),
    /spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'/,
  );
});

test('node ports are given, asked for, kept and given back', async () => {
  const { object } = await send(api, `POST ${services}`, {
    body: service('balanced', { type: 'LoadBalancer' }),
  });
  const { nodePort } = object.spec.ports[0];
  assert.ok(nodePort >= 30000 && nodePort <= 32767);
  const asked = { type: 'NodePort', ports: [{ port: 80, nodePort }] };
  const taken = await send(api, `POST ${services}`, { body: service('taken', asked) });
  assert.equal(taken.code, 422);
  assert.match(
    taken.object.message,
    /spec.ports\[0\].nodePort: Invalid value: \d+: provided port is already allocated/,
  );
  await mergePatch(api, `${services}/balanced`, { spec: { type: 'ClusterIP' } });
  const now = (await send(api, `GET ${services}/balanced`)).object;
  assert.equal(now.spec.ports[0].nodePort, undefined);
  assert.equal((await send(api, `POST ${services}`, { body: service('taken', asked) })).code, 201);
});

test('a dry run and a refused service take nothing', async () => {
  const wanted = { clusterIP: '10.43.88.8' };
  await send(api, `POST ${services}?dryRun=All`, { body: service('tried', wanted) });
  const both = { ...wanted, type: 'NodePort', ports: [{ port: 80, nodePort: 99 }] };
  assert.equal((await send(api, `POST ${services}`, { body: service('refused', both) })).code, 422);
  assert.equal((await send(api, `POST ${services}`, { body: service('made', wanted) })).code, 201);
});

test('what was allocated before a restart stays allocated', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'selvage-services-'));
  const path = join(dir, 'state.sqlite');
  const wanted = { clusterIP: '10.43.0.2' };
  const first = await startTestServer({ listens: false, path });
  await send(first.server.transport(), `POST ${services}`, { body: service('before', wanted) });
  await first.close();
  const second = await startTestServer({ listens: false, path });
  const { object } = await send(second.server.transport(), `POST ${services}`, { body: service('after') });
  assert.notEqual(object.spec.clusterIP, '10.43.0.2');
  const same = await send(second.server.transport(), `POST ${services}`, { body: service('same', wanted) });
  assert.equal(same.code, 422);
  await second.close();
  rmSync(dir, { recursive: true });
});

test('a pool that is used up says so', () => {
  const addresses = new AddressPool('10.9.0.0/29');
  const taken = Array.from({ length: 5 }, () => addresses.takeAny());
  assert.equal(new Set(taken).size, 5);
  assert.ok(!taken.includes('10.9.0.1'), 'the first is for the kubernetes Service');
  assert.throws(() => addresses.takeAny(), /all 6 addresses of 10.9.0.0\/29 are taken/);
  let turn = 0;
  // Also at both ends of the range.
  const ports = new PortPool(() => [0, 0.5, 1 - Number.EPSILON][turn++ % 3]!);
  assert.equal(ports.takeAny(), 30086);
  ports.release(30086);
  for (let count = 30000; count <= 32767; count++) ports.takeAny();
  assert.throws(() => ports.takeAny(), /all of 30000-32767 are taken/);
});
