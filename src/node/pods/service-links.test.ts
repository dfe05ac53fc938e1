import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceVariables } from './service-links.ts';

const services = [
  {
    namespace: 'default',
    name: 'kubernetes',
    clusterIPs: ['10.43.0.1'],
    ports: [{ name: 'https', port: 443 }],
  },
  { namespace: 'shop', name: 'red-shoes', clusterIPs: ['10.43.0.9'], ports: [{ name: '', port: 80 }] },
  { namespace: 'shop', name: 'headless', clusterIPs: [], ports: [{ name: '', port: 80 }] },
  { namespace: 'other', name: 'web', clusterIPs: ['10.43.0.8'], ports: [{ name: '', port: 80 }] },
];

test('a pod finds the Services of its namespace in its environment, and always the API server', () => {
  const linked = serviceVariables(services, { namespace: 'shop', enableServiceLinks: true });
  assert.equal(linked.RED_SHOES_SERVICE_HOST, '10.43.0.9');
  assert.equal(linked.RED_SHOES_SERVICE_PORT, '80');
  assert.equal(linked.RED_SHOES_PORT_80_TCP, 'tcp://10.43.0.9:80');
  assert.equal(linked.KUBERNETES_SERVICE_PORT_HTTPS, '443');
  assert.ok(!Object.keys(linked).some((name) => /^(WEB|HEADLESS)_/.test(name)));
  const unlinked = serviceVariables(services, { namespace: 'shop', enableServiceLinks: false });
  assert.equal(unlinked.KUBERNETES_SERVICE_HOST, '10.43.0.1');
  assert.ok(!Object.keys(unlinked).some((name) => name.startsWith('RED_')));
});
