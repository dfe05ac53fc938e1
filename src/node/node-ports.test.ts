import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../api/kinds/service.ts';
import { NodePortReports, nodePortsFor } from './node-ports.ts';

const service = (spec: object): Service =>
  ({ metadata: { namespace: 'default', name: 'web', uid: 'u' }, spec }) as Service;
const nodePort = service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] });

test('a node answers for node ports at its own address', () => {
  const spec = { namespace: 'default', service: 'web', port: 80, ip: '10.0.0.1', nodePort: 30080 };
  assert.deepEqual(nodePortsFor([nodePort], '10.0.0.1'), [spec]);
  const local = service({ ...nodePort.spec, externalTrafficPolicy: 'Local' });
  assert.deepEqual(nodePortsFor([local], '10.0.0.1'), [{ ...spec, localOnly: true }]);
  const balanced = service({ ...nodePort.spec, type: 'LoadBalancer' });
  assert.deepEqual(nodePortsFor([balanced], '10.0.0.1'), [spec]);
  for (const other of [
    { type: 'ClusterIP', ports: [{ port: 80 }] },
    { type: 'NodePort', ports: [{ port: 53, nodePort: 30053, protocol: 'UDP' }] },
  ]) {
    assert.deepEqual(nodePortsFor([service(other)], '10.0.0.1'), []);
  }
});

test('a node port that is taken is told of once, and again only after it was free', () => {
  const events: string[] = [];
  const recorder = { record: (...[, , , message]: string[]) => void events.push(message!) };
  const reports = new NodePortReports();
  const [spec] = nodePortsFor([nodePort], '10.0.0.1');
  const report = (boundPort: number) =>
    reports.report([{ ...spec!, boundIP: '10.0.0.1', boundPort, problem: 'listen EADDRINUSE' }], {
      services: [nodePort],
      recorder: recorder as never,
    });
  report(0);
  report(0);
  assert.deepEqual(events, [
    '10.0.0.1:30080 could not be bound (listen EADDRINUSE); this node does not answer on it',
  ]);
  report(30080);
  report(0);
  assert.equal(events.length, 2);
});
