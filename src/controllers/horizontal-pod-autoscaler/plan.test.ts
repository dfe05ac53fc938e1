import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/kinds/pod.ts';
import { limit } from './behavior.ts';
import { replicasForUtilization } from './replicas.ts';

const nowMs = Date.parse('2024-01-01T01:00:00Z');
const podOf = (name: string, isReady = true): Pod => ({
  metadata: { name },
  spec: { containers: [{ name: 'main', resources: { requests: { cpu: '1' } } }] },
  status: {
    phase: 'Running',
    startTime: '2024-01-01T00:00:00Z',
    conditions: [
      { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: '2024-01-01T00:00:10Z' },
    ],
  },
});

/** `used` of each pod's one core; undefined is a pod without a metric, null one that never was ready. */
function replicas(used: (number | undefined | null)[], target: number): number {
  const pods = used.map((value, at) => podOf(`p${at}`, value !== null));
  const known = used.flatMap((value, at) =>
    value === undefined ? [] : [[`p${at}`, { value: value ?? 1, atMs: nowMs, windowMs: 15_000 }] as const],
  );
  const question = { pods, metrics: new Map(known), currentReplicas: used.length, resource: 'cpu', nowMs };
  return replicasForUtilization(question, target).replicas;
}

test('the number of replicas follows the ratio of what is used to what is aimed at', () => {
  const cases: [(number | undefined | null)[], number, number][] = [
    [[0.3, 0.5, 0.7], 30, 5],
    [[1, 1], 50, 4],
    [[0.55, 0.53], 50, 2],
    [[0.1, 0.1, 0.1, 0.1], 50, 1],
    // A pod without a metric counts as idle on the way up, as fully busy on the way down.
    [[1, 1, undefined], 50, 4],
    [[0.1, 0.1, undefined], 50, 3],
    [[0.5, 0.5, undefined], 50, 3],
    // One that is not ready does not count on the way down, and as idle on the way up.
    [[1, 1, null], 50, 4],
    [[0.1, 0.1, null], 50, 1],
  ];
  for (const [used, target, expected] of cases) {
    assert.equal(replicas(used, target), expected, JSON.stringify([used, target]));
  }
  assert.throws(() => replicas([null], 50), /did not receive metrics for targeted pods/);
});

test('windows, policies and bounds hold a change back, and say which did', () => {
  const none = { recommendations: [], ups: [], downs: [] };
  const base = { min: 1, max: 100, behavior: undefined, history: none, nowMs };
  const said = (change: Partial<Parameters<typeof limit>[0]>) => {
    const found = limit({ current: 10, desired: 10, ...base, ...change });
    return [found.replicas, found.stabilized?.reason ?? found.limited?.reason ?? ''].join(' ').trim();
  };
  assert.equal(said({ desired: 15 }), '15');
  assert.equal(said({ desired: 50 }), '20 ScaleUpLimit');
  assert.equal(said({ current: 1, desired: 50 }), '4 ScaleUpLimit');
  assert.equal(said({ current: 3, desired: 50 }), '6 ScaleUpLimit');
  assert.equal(said({ current: 1, desired: 50, behavior: {} }), '5 ScaleUpLimit');
  assert.equal(said({ desired: 50, max: 12 }), '12 TooManyReplicas');
  assert.equal(said({ desired: 1, min: 3 }), '3 TooFewReplicas');
  const recommendations = [{ replicas: 8, atMs: nowMs - 60_000 }];
  assert.equal(said({ desired: 2, history: { ...none, recommendations } }), '8 ScaleDownStabilized');
  const old = [{ replicas: 8, atMs: nowMs - 301_000 }];
  assert.equal(said({ desired: 2, history: { ...none, recommendations: old } }), '2');
  const ups = [{ change: 5, atMs: nowMs - 5_000 }];
  assert.equal(said({ desired: 50, behavior: {}, history: { ...none, ups } }), '10 ScaleUpLimit');
  assert.equal(said({ desired: 50, history: { ...none, ups } }), '20 ScaleUpLimit');
  const calm = { scaleUp: { stabilizationWindowSeconds: 120 } };
  assert.equal(
    said({ desired: 50, behavior: calm, history: { ...none, recommendations } }),
    '10 ScaleUpStabilized',
  );
  const policies = [{ type: 'Pods', value: 1, periodSeconds: 60 }] as const;
  const slow = { scaleDown: { policies: [...policies] } };
  assert.equal(said({ desired: 2, behavior: slow }), '9 ScaleDownLimit');
  assert.equal(
    said({ desired: 2, behavior: { scaleDown: { selectPolicy: 'Disabled' } } }),
    '10 ScaleDownLimit',
  );
});
