import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/kinds/pod.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '../../api/kinds/podDisruptionBudget.ts';
import { toTime } from '../../base/clock.ts';
import { disruptionSeenMs, plan } from './plan.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');

const budget = (
  spec: PodDisruptionBudgetSpec,
  disruptedPods: Record<string, string> = {},
): PodDisruptionBudget => ({
  metadata: { name: 'web', namespace: 'default', generation: 1 },
  spec,
  status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0, disruptedPods },
});

const podsOf = (ready: number, unready = 0): Pod[] =>
  Array.from({ length: ready + unready }, (_, at) => ({
    metadata: { name: `pod-${at}` },
    status: { conditions: [{ type: 'Ready', status: at < ready ? ('True' as const) : ('False' as const) }] },
  }));

test('a budget allows what is healthy beyond what it demands', () => {
  const cases: [PodDisruptionBudgetSpec, Pod[], number, [number, number, number]][] = [
    // [expected, desired, allowed]
    [{ minAvailable: 2 }, podsOf(3), 3, [3, 2, 1]],
    [{ minAvailable: 2 }, podsOf(2, 1), 3, [3, 2, 0]],
    [{ minAvailable: '50%' }, podsOf(3), 3, [3, 2, 1]],
    [{ maxUnavailable: 1 }, podsOf(3), 3, [3, 2, 1]],
    [{ maxUnavailable: 1 }, podsOf(3), 5, [5, 4, 0]],
    [{ maxUnavailable: '30%' }, podsOf(10), 10, [10, 7, 3]],
    [{ maxUnavailable: 0 }, podsOf(3), 3, [3, 3, 0]],
    [{ maxUnavailable: 5 }, podsOf(3), 3, [3, 0, 3]],
    [{ minAvailable: 0 }, [], 0, [0, 0, 0]],
    [{}, podsOf(3), 3, [0, 0, 0]],
  ];
  for (const [spec, pods, scale, expected] of cases) {
    const { status } = plan({ budget: budget(spec), pods, scale, nowMs });
    const found = [status.expectedPods, status.desiredHealthy, status.disruptionsAllowed];
    assert.deepEqual(found, expected, JSON.stringify(spec));
    const [condition] = status.conditions!;
    const isAllowed = expected[2] > 0;
    assert.deepEqual(
      [condition?.type, condition?.status, condition?.reason],
      ['DisruptionAllowed', isAllowed ? 'True' : 'False', isAllowed ? 'SufficientPods' : 'InsufficientPods'],
    );
  }
});

test('a granted eviction counts until it is seen or has failed', () => {
  const time = toTime(nowMs);
  const state = {
    budget: budget({ minAvailable: 1 }, { 'pod-0': time, gone: time }),
    pods: podsOf(3),
    scale: 3,
  };
  const soon = plan({ ...state, nowMs: nowMs + 1000 });
  assert.deepEqual(soon.status.disruptedPods, { 'pod-0': time });
  assert.deepEqual([soon.status.currentHealthy, soon.status.disruptionsAllowed], [2, 1]);
  assert.equal(soon.lookAgainInMs, disruptionSeenMs - 1000);
  const late = plan({ ...state, nowMs: nowMs + disruptionSeenMs });
  assert.deepEqual([late.status.disruptedPods, late.status.disruptionsAllowed], [undefined, 2]);
});

test('where the owners have no size nothing may be evicted, and the status says why', () => {
  const scale = { error: 'jobs.batch does not implement the scale subresource' };
  const { status } = plan({ budget: budget({ maxUnavailable: 1 }), pods: podsOf(3), scale, nowMs });
  assert.deepEqual([status.disruptionsAllowed, status.conditions?.[0]?.reason], [0, 'SyncFailed']);
  const known = {
    currentHealthy: 3,
    desiredHealthy: 2,
    expectedPods: 3,
    disruptionsAllowed: 1,
    observedGeneration: 1,
  };
  const before = { ...budget({ maxUnavailable: 1 }), status: known };
  const later = plan({ budget: before, pods: podsOf(3), scale, nowMs }).status;
  assert.deepEqual(
    { ...later, conditions: undefined },
    { ...known, disruptionsAllowed: 0, conditions: undefined },
  );
  const counted = plan({ budget: budget({ minAvailable: 1 }), pods: podsOf(3), scale, nowMs });
  assert.equal(counted.status.disruptionsAllowed, 2);
});
