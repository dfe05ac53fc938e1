import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployment } from './kinds/deployment.ts';
import { node } from './kinds/node.ts';
import { pod } from './kinds/pod.ts';
import { prepareForCreate, prepareForUpdate } from './prepare.ts';

const spec = { selector: {}, template: { spec: { containers: [] } }, replicas: 1 };
const stored = {
  metadata: {
    name: 'web',
    uid: 'u1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    generation: 3,
    resourceVersion: '9',
  },
  spec,
  status: { replicas: 1 },
};

test('a new object has no status and is in generation 1', () => {
  const created = prepareForCreate(deployment, { metadata: { name: 'web' }, spec, status: { replicas: 5 } });
  assert.deepEqual(created, { metadata: { name: 'web', generation: 1 }, spec });
});

test('a new node keeps the status that it registers with', () => {
  const status = { capacity: { cpu: '2' } };
  assert.deepEqual(prepareForCreate(node, { metadata: { name: 'n1' }, status }).status, status);
});

test('a write of the object leaves the status, and a new spec is a new generation', () => {
  const scaled = prepareForUpdate(
    deployment,
    { metadata: { name: 'web' }, spec: { ...spec, replicas: 2 }, status: {} },
    stored,
  );
  assert.deepEqual(scaled.status, { replicas: 1 });
  assert.equal(scaled.metadata?.generation, 4);
  assert.equal(scaled.metadata?.uid, 'u1');
});

test('labels, or an empty list where there was none, make no new generation', () => {
  const labelled = prepareForUpdate(
    deployment,
    {
      metadata: { name: 'web', labels: { a: 'b' }, generation: 77 },
      spec: { ...spec, template: { spec: { containers: [], volumes: [] } } },
    },
    stored,
  );
  assert.equal(labelled.metadata?.generation, 3);
});

test('a write of the status changes nothing else', () => {
  const next = {
    metadata: { name: 'web', labels: { x: 'y' }, resourceVersion: '9' },
    spec: { ...spec, replicas: 9 },
    status: { replicas: 2 },
  };
  const written = prepareForUpdate(deployment, next, stored, 'status');
  assert.deepEqual(written, { ...stored, status: { replicas: 2 } });
});

test('the status of a pod may bring annotations', () => {
  const before = { metadata: { name: 'web' }, spec: { containers: [] } };
  const next = { metadata: { name: 'web', annotations: { a: 'b' } }, status: { phase: 'Running' as const } };
  const written = prepareForUpdate(pod, next, before, 'status');
  assert.deepEqual(written.metadata?.annotations, { a: 'b' });
  assert.deepEqual(written.spec, { containers: [] });
});
