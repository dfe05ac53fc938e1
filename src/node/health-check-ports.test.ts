import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { EndpointSlice } from '../api/kinds/endpointSlice.ts';
import type { Service } from '../api/kinds/service.ts';
import { silentLog } from '../base/log.ts';
import { HealthCheckPorts, healthChecksFor } from './health-check-ports.ts';

const service = (spec: object) => ({ metadata: { namespace: 'default', name: 'web' }, spec }) as Service;
const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 };

const endpoint = (address: string, nodeName: string, ready = true) => ({
  addresses: [address],
  nodeName,
  conditions: { ready },
});

const slice = (endpoints: object[], of = 'web') =>
  ({
    metadata: { namespace: 'default', labels: { 'kubernetes.io/service-name': of } },
    endpoints,
  }) as unknown as EndpointSlice;

test('a node counts its own ready pods of the Services that keep to their nodes', () => {
  const slices = [
    slice([endpoint('10.42.0.1', 'n1'), endpoint('10.42.1.1', 'n2'), endpoint('10.42.0.2', 'n1', false)]),
    slice([endpoint('10.42.0.1', 'n1'), endpoint('10.42.0.3', 'n1')]),
    slice([endpoint('10.42.0.9', 'n1')], 'other'),
  ];
  const check = { namespace: 'default', service: 'web', port: 32_000 };
  assert.deepEqual(healthChecksFor([service(local)], slices, 'n1'), [{ ...check, localEndpoints: 2 }]);
  assert.deepEqual(healthChecksFor([service(local)], slices, 'n3'), [{ ...check, localEndpoints: 0 }]);
  const wide = service({ ...local, externalTrafficPolicy: 'Cluster' });
  assert.deepEqual(healthChecksFor([wide], slices, 'n1'), []);
});

test('a balancer is told by code, header and body, and the port is closed when nobody needs it', async (t) => {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as { port: number };
  const ports = new HealthCheckPorts({ host: '127.0.0.1', log: silentLog });
  t.after(() => ports.close());
  const check = { namespace: 'default', service: 'web', port };
  // Somebody else has it: the node goes on without.
  await ports.set([{ ...check, localEndpoints: 1 }]);
  await new Promise((resolve) => probe.close(resolve));
  await ports.set([{ ...check, localEndpoints: 2 }]);
  const ask = () => fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } });
  const well = await ask();
  assert.deepEqual([well.status, well.headers.get('x-load-balancing-endpoint-weight')], [200, '2']);
  assert.deepEqual(await well.json(), {
    service: { namespace: 'default', name: 'web' },
    localEndpoints: 2,
    serviceProxyHealthy: true,
  });
  await ports.set([{ ...check, localEndpoints: 0 }]);
  assert.equal((await ask()).status, 503);
  await ports.set([]);
  await assert.rejects(ask());
});
