import assert from 'node:assert/strict';
import { test } from 'node:test';
import { node as nodeKind } from '../api/kinds/node.ts';
import { until } from '../base/until.ts';
import { stepFor, ttlAnnotation } from './node-ttl.ts';
import { startTestCluster } from './test-cluster.ts';

test('the more nodes, the longer they keep what they have read; at a border nothing goes to and fro', () => {
  assert.deepEqual(
    [1, 100, 101, 500, 501, 1000, 1001, 2001].map((nodes) => stepFor(nodes, 0)),
    [0, 0, 1, 1, 2, 2, 3, 4],
  );
  assert.deepEqual(
    [1799, 900, 899, 450, 449, 90, 89].map((nodes) => stepFor(nodes, 4)),
    [3, 3, 2, 2, 1, 1, 0],
  );
  assert.equal(stepFor(95, 1), 1);
});

test('a node is told', async () => {
  const cluster = await startTestCluster({ nodes: ['n1'] });
  try {
    await until('it has the annotation', async () => {
      const { metadata } = await cluster.client.get(nodeKind, { name: 'n1' });
      return metadata?.annotations?.[ttlAnnotation] === '0';
    });
  } finally {
    await cluster.close();
  }
});
