import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../api/kinds/node.ts';
import type { Service } from '../api/kinds/service.ts';
import { loadBalancerNode, plan } from './service-address.ts';

const node = (name: string, ready = true): Node => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }] },
});

test('a LoadBalancer whose traffic stays on its node listens where pods are ready, and goes with them', () => {
  const service = (current?: string, externalTrafficPolicy = 'Local') =>
    ({
      metadata: { name: 'web', annotations: current ? { [loadBalancerNode]: current } : {} },
      spec: { type: 'LoadBalancer', externalTrafficPolicy },
    }) as Service;
  const nodes = [node('a'), node('b'), node('c', false)];
  const taken = new Set<string>();
  const nodeFor = (current: string | undefined, serving: string[], policy?: string) =>
    plan({ service: service(current, policy), nodes, serving: new Set(serving), taken }).annotations[
      loadBalancerNode
    ];
  assert.equal(nodeFor(undefined, ['b']), 'b');
  assert.equal(nodeFor('a', ['b']), 'b');
  // It has what it needs, or nobody has: it stays.
  assert.equal(nodeFor('a', ['a', 'b']), undefined);
  assert.equal(nodeFor('a', []), undefined);
  assert.equal(nodeFor('a', ['c']), undefined);
  assert.equal(nodeFor('a', ['b'], 'Cluster'), undefined);
});
