import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api/kinds/pod.ts';
import type { PodDisruptionBudget } from '../api/kinds/podDisruptionBudget.ts';
import type { PodSpec } from '../api/parts/podSpec.ts';
import { schedule } from './schedule.ts';
import { cluster, hostname, node, pod, zone } from './testing.ts';

const one = (name: string) => node(name, { allocatable: { cpu: '1' } });
const ranked = (
  name: string,
  priority: number,
  cpu: string,
  more: { startTime?: string; labels?: Record<string, string>; spec?: Partial<PodSpec> } = {},
): Pod =>
  pod(name, {
    requests: { cpu },
    spec: { priority, ...more.spec },
    ...(more.labels && { labels: more.labels }),
    status: { phase: 'Running', startTime: more.startTime ?? '2026-01-01T00:00:00Z' },
  });
const budget = (
  name: string,
  labels: Record<string, string>,
  disruptionsAllowed: number,
): PodDisruptionBudget => ({
  metadata: { name, namespace: 'default' },
  spec: { selector: { matchLabels: labels } },
  status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
});

/** `node: victims`, or the message. */
function outcome(
  nodes: ReturnType<typeof node>[],
  placed: [Pod, string][],
  asked: Pod,
  budgets: PodDisruptionBudget[] = [],
): string {
  const state = cluster(nodes, placed);
  const before = state.nodes.map(({ name, pods, requested }) => [
    name,
    [...pods.keys()].sort(),
    requested.get('cpu'),
  ]);
  const decision = schedule(state, asked, { budgets });
  const after = state.nodes.map(({ name, pods, requested }) => [
    name,
    [...pods.keys()].sort(),
    requested.get('cpu'),
  ]);
  assert.deepEqual(after, before, 'asking "what if" changes nothing');
  if (decision.node !== undefined) return `fits ${decision.node}`;
  if (!decision.preemption) return decision.message;
  const victims = decision.preemption.victims.map(({ metadata }) => metadata?.name);
  return `${decision.preemption.node}: ${victims.join(' ')}`;
}

const high = ranked('high', 100, '600m');

test('victims are of lower priority, and as few as will do', () => {
  const cases: [string, [Pod, string][], string][] = [
    ['a lower one', [[ranked('low', 0, '800m'), 'n1']], 'n1: low'],
    [
      'only one of two',
      [
        [ranked('b', 1, '400m'), 'n1'],
        [ranked('a', 0, '400m'), 'n1'],
      ],
      'n1: a',
    ],
    [
      'both where one is not enough',
      [
        [ranked('a', 0, '300m'), 'n1'],
        [ranked('b', 1, '300m'), 'n1'],
        [ranked('c', 2, '400m'), 'n1'],
      ],
      'n1: b a',
    ],
    [
      'of equals the one that started last',
      [
        [ranked('old', 0, '400m', { startTime: '2026-01-01T00:00:00Z' }), 'n1'],
        [ranked('new', 0, '400m', { startTime: '2026-01-02T00:00:00Z' }), 'n1'],
      ],
      'n1: new',
    ],
  ];
  for (const [name, placed, expected] of cases)
    assert.equal(outcome([one('n1')], placed, high), expected, name);
});

test('where nobody is of lower priority the message says so', () => {
  const none =
    '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';
  assert.equal(outcome([one('n1')], [[ranked('equal', 100, '800m'), 'n1']], high), none);
  const never = ranked('never', 100, '600m', { spec: { preemptionPolicy: 'Never' } });
  assert.equal(
    outcome([one('n1')], [[ranked('low', 0, '800m'), 'n1']], never),
    '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
  );
});

test('nodes where room is not what lacks are not helped, and what lacks in spite of room is told', () => {
  const tainted = node('n2', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } });
  const huge = ranked('huge', 100, '1500m');
  assert.equal(
    outcome([one('n1'), tainted], [[ranked('low', 0, '800m'), 'n1']], huge),
    '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {k: v}. ' +
      'preemption: 0/2 nodes are available: 1 Insufficient cpu, 1 Preemption is not helpful for scheduling.',
  );
});

test('the node is chosen whose loss is the smallest', () => {
  const nodes = [one('n1'), one('n2')];
  const start = (day: number) => ({ startTime: `2026-01-0${day}T00:00:00Z` });
  const cases: [string, [Pod, string][], string, PodDisruptionBudget[]?][] = [
    [
      'the lower victim',
      [
        [ranked('a', 5, '1'), 'n1'],
        [ranked('b', 4, '1'), 'n2'],
      ],
      'n2: b',
    ],
    [
      'the smaller sum',
      [
        [ranked('a', 5, '1'), 'n1'],
        [ranked('b', 5, '500m'), 'n2'],
        [ranked('c', 1, '500m'), 'n2'],
      ],
      'n1: a',
    ],
    [
      'the later start',
      [
        [ranked('a', 5, '1', start(1)), 'n1'],
        [ranked('b', 5, '1', start(2)), 'n2'],
      ],
      'n2: b',
    ],
    [
      'no broken budget, though more important pods leave',
      [
        [ranked('a', 1, '1', { labels: { app: 'db' } }), 'n1'],
        [ranked('b', 9, '1'), 'n2'],
      ],
      'n2: b',
      [budget('db', { app: 'db' }, 0)],
    ],
    [
      'a budget that allows it is no hindrance',
      [
        [ranked('a', 1, '1', { labels: { app: 'db' } }), 'n1'],
        [ranked('b', 9, '1'), 'n2'],
      ],
      'n1: a',
      [budget('db', { app: 'db' }, 1)],
    ],
  ];
  for (const [name, placed, expected, budgets] of cases)
    assert.equal(outcome(nodes, placed, high, budgets), expected, name);
});

test('on one node, those that a budget protects stay first; if there is no other way they go', () => {
  const protected_ = ranked('protected', 0, '500m', { labels: { app: 'db' } });
  const free = ranked('free', 9, '500m');
  const budgets = [budget('db', { app: 'db' }, 0)];
  assert.equal(
    outcome(
      [one('n1')],
      [
        [protected_, 'n1'],
        [free, 'n1'],
      ],
      ranked('h', 100, '500m'),
      budgets,
    ),
    'n1: free',
  );
  assert.equal(outcome([one('n1')], [[protected_, 'n1']], ranked('h', 100, '1'), budgets), 'n1: protected');
});

test('anti-affinity, spreading and host ports are won by preemption too', () => {
  const labels = { app: 'web' };
  const term = { topologyKey: hostname, labelSelector: { matchLabels: labels } };
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  const shy = ranked('shy', 100, '100m', { labels, spec: { affinity } });
  assert.equal(outcome([one('n1')], [[ranked('low', 0, '100m', { labels }), 'n1']], shy), 'n1: low');
  const containers = [{ name: 'm', ports: [{ containerPort: 80, hostPort: 80 }] }];
  const port = (name: string, priority: number) => pod(name, { spec: { priority, containers } });
  assert.equal(outcome([one('n1')], [[port('low', 0), 'n1']], port('high', 1)), 'n1: low');
  const topologySpreadConstraints = [
    {
      maxSkew: 1,
      topologyKey: zone,
      whenUnsatisfiable: 'DoNotSchedule' as const,
      labelSelector: { matchLabels: labels },
    },
  ];
  const zoned = [
    node('a1', { labels: { [zone]: 'a' } }),
    node('b1', { labels: { [zone]: 'b' }, spec: { unschedulable: true } }),
  ];
  const spread = ranked('spread', 100, '100m', { labels, spec: { topologySpreadConstraints } });
  assert.equal(outcome(zoned, [[ranked('low', 0, '100m', { labels }), 'a1']], spread), 'a1: low');
});

test('room that was won is kept for the winner, but not from more important pods', () => {
  const state = cluster([one('n1')]);
  state.nominate(ranked('winner', 50, '600m'), 'n1');
  const message = (asked: Pod) => schedule(state, asked).node ?? 'no';
  assert.equal(message(ranked('lower', 0, '600m')), 'no');
  assert.equal(message(ranked('equal', 50, '600m')), 'no');
  assert.equal(message(ranked('small', 0, '400m')), 'n1');
  assert.equal(message(ranked('higher', 51, '600m')), 'n1');
  assert.equal(message(ranked('winner', 50, '600m')), 'n1');
  state.withdraw('default/winner');
  assert.equal(message(ranked('lower', 0, '600m')), 'n1');
});

test('while its victims still leave, a pod takes no more', () => {
  const leaving: Pod = {
    ...ranked('low', 0, '1'),
    metadata: { name: 'low', namespace: 'default', uid: 'low', deletionTimestamp: '2026-01-01T00:00:00Z' },
    status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }] },
  };
  const waiting = { ...high, status: { nominatedNodeName: 'n1' } };
  assert.equal(
    outcome(
      [one('n1'), one('n2')],
      [
        [leaving, 'n1'],
        [ranked('x', 0, '1'), 'n2'],
      ],
      waiting,
    ),
    '0/2 nodes are available: 2 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.',
  );
});
