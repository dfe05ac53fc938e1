import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../kinds/pod.ts';
import { pod as kind } from '../kinds/pod.ts';
import { toTable } from '../table.ts';

const nowMs = Date.parse('2026-01-01T00:10:00Z');
const since = '2026-01-01T00:07:00Z';

type Status = NonNullable<Pod['status']>;
type State = NonNullable<NonNullable<Status['containerStatuses']>[number]['state']>;

const running: State = { running: { startedAt: since } };
const ended = (exitCode: number, more: object = {}): State => ({ terminated: { exitCode, ...more } });
const waiting = (reason: string): State => ({ waiting: { reason } });

function container(
  state: State,
  more: { name?: string; ready?: boolean; restartCount?: number; lastState?: State; started?: boolean } = {},
) {
  return { name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state, ...more };
}

function podOf(
  status: Status,
  more: {
    count?: number;
    init?: { name: string; restartPolicy?: 'Always' }[];
    deleted?: boolean;
    gates?: string[];
  } = {},
): Pod {
  return {
    metadata: { name: 'p', creationTimestamp: since, ...(more.deleted && { deletionTimestamp: since }) },
    spec: {
      containers: Array.from({ length: more.count ?? 1 }, (_, index) => ({ name: `c${index}` })),
      initContainers: more.init ?? [],
      ...(more.gates && { readinessGates: more.gates.map((conditionType) => ({ conditionType })) }),
    },
    status,
  };
}

const shown = (pod: Pod) => toTable(kind, [pod], { nowMs }).rows[0]!.cells.slice(1, 4).join(' | ');
const ready = { type: 'Ready', status: 'True' as const };

// The cases follow those of Kubernetes' own printer test (TestPrintPod and its like).
test('READY, STATUS and RESTARTS follow the rules of kubectl get pods', () => {
  const table: [string, Pod][] = [
    ['0/1 | Pending | 0', podOf({ phase: 'Pending' })],
    [
      '0/1 | ContainerCreating | 0',
      podOf({ phase: 'Pending', containerStatuses: [container(waiting('ContainerCreating'))] }),
    ],
    [
      '1/1 | Running | 0',
      podOf({ phase: 'Running', containerStatuses: [container(running, { ready: true })] }),
    ],
    [
      '1/2 | Running | 6',
      podOf(
        {
          phase: 'Running',
          containerStatuses: [
            container(running, { ready: true, restartCount: 3 }),
            container(running, { restartCount: 3 }),
          ],
        },
        { count: 2 },
      ),
    ],
    [
      '0/1 | CrashLoopBackOff | 2 (3m ago)',
      podOf({
        phase: 'Running',
        containerStatuses: [
          container(waiting('CrashLoopBackOff'), {
            restartCount: 2,
            lastState: ended(1, { finishedAt: since }),
          }),
        ],
      }),
    ],
    [
      '0/1 | ImagePullBackOff | 0',
      podOf({ phase: 'Pending', containerStatuses: [container(waiting('ImagePullBackOff'))] }),
    ],
    [
      '0/1 | Completed | 0',
      podOf({ phase: 'Succeeded', containerStatuses: [container(ended(0, { reason: 'Completed' }))] }),
    ],
    [
      '0/1 | Error | 0',
      podOf({ phase: 'Failed', containerStatuses: [container(ended(1, { reason: 'Error' }))] }),
    ],
    ['0/1 | ExitCode:3 | 0', podOf({ phase: 'Failed', containerStatuses: [container(ended(3))] })],
    [
      '0/1 | Signal:9 | 0',
      podOf({ phase: 'Failed', containerStatuses: [container(ended(0, { signal: 9 }))] }),
    ],
    ['0/1 | Evicted | 0', podOf({ phase: 'Failed', reason: 'Evicted' })],
    [
      '1/2 | Running | 0',
      podOf(
        {
          phase: 'Running',
          conditions: [ready],
          containerStatuses: [
            container(ended(0, { reason: 'Completed' })),
            container(running, { ready: true }),
          ],
        },
        { count: 2 },
      ),
    ],
    [
      '1/2 | NotReady | 0',
      podOf(
        {
          phase: 'Running',
          containerStatuses: [
            container(ended(0, { reason: 'Completed' })),
            container(running, { ready: true }),
          ],
        },
        { count: 2 },
      ),
    ],
    [
      '0/1 | Init:0/2 | 0',
      podOf(
        {
          phase: 'Pending',
          initContainerStatuses: [
            container(running, { name: 'a' }),
            container(waiting('PodInitializing'), { name: 'b' }),
          ],
        },
        { init: [{ name: 'a' }, { name: 'b' }] },
      ),
    ],
    [
      '0/1 | Init:1/2 | 0',
      podOf(
        {
          phase: 'Pending',
          initContainerStatuses: [container(ended(0), { name: 'a' }), container(running, { name: 'b' })],
        },
        { init: [{ name: 'a' }, { name: 'b' }] },
      ),
    ],
    [
      '0/1 | Init:Error | 0',
      podOf(
        {
          phase: 'Pending',
          initContainerStatuses: [container(ended(1, { reason: 'Error' }), { name: 'a' })],
        },
        { init: [{ name: 'a' }] },
      ),
    ],
    [
      '0/1 | Init:ExitCode:2 | 1',
      podOf(
        { phase: 'Pending', initContainerStatuses: [container(ended(2), { name: 'a', restartCount: 1 })] },
        { init: [{ name: 'a' }] },
      ),
    ],
    [
      '0/1 | Init:CrashLoopBackOff | 0',
      podOf(
        { phase: 'Pending', initContainerStatuses: [container(waiting('CrashLoopBackOff'), { name: 'a' })] },
        { init: [{ name: 'a' }] },
      ),
    ],
    [
      '2/2 | Running | 0',
      podOf(
        {
          phase: 'Running',
          initContainerStatuses: [container(running, { name: 's', ready: true, started: true })],
          containerStatuses: [container(running, { ready: true })],
        },
        { init: [{ name: 's', restartPolicy: 'Always' }] },
      ),
    ],
    [
      '0/1 | SchedulingGated | 0',
      podOf({
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
      }),
    ],
    [
      '1/1 | Terminating | 0',
      podOf(
        { phase: 'Running', containerStatuses: [container(running, { ready: true })] },
        { deleted: true },
      ),
    ],
    ['0/1 | Unknown | 0', podOf({ phase: 'Running', reason: 'NodeLost' }, { deleted: true })],
    [
      '0/1 | Completed | 0',
      podOf(
        { phase: 'Succeeded', containerStatuses: [container(ended(0, { reason: 'Completed' }))] },
        { deleted: true },
      ),
    ],
  ];
  for (const [expected, pod] of table) assert.equal(shown(pod), expected);
});

test('wide columns show addresses, node and readiness gates', () => {
  const pod = podOf(
    { phase: 'Running', podIPs: [{ ip: '10.42.0.5' }], conditions: [{ type: 'x', status: 'True' }] },
    { gates: ['x', 'y'] },
  );
  pod.spec!.nodeName = 'n1';
  assert.deepEqual(toTable(kind, [pod], { nowMs }).rows[0]!.cells.slice(4), [
    '3m',
    '10.42.0.5',
    'n1',
    '<none>',
    '1/2',
  ]);
  const bare = toTable(kind, [{ metadata: { name: 'p' } }], { nowMs }).rows[0]!.cells;
  assert.deepEqual(bare, ['p', '0/0', 'Unknown', '0', '<unknown>', '<none>', '<none>', '<none>', '<none>']);
});
