import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InferenceService } from '../../api/kinds/inferenceService.ts';
import type { Node } from '../../api/kinds/node.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import { heldAnnotation } from '../../mesh/held-services.ts';
import { Autoscaler } from './autoscaler.ts';
import { newlyHeld } from './held.ts';
import { NodeLoads, type PodLoad } from './node-loads.ts';
import { podAutoscalerFor } from './pod-autoscaler.ts';
import type { ScaleSettings } from './scale.ts';
import { scaleSettingsOf } from './scale-settings.ts';

const settings: ScaleSettings = {
  min: 0,
  max: 10,
  metric: 'concurrency',
  target: 2,
  stableWindowMs: 6_000,
  retentionMs: 0,
};

/** Nodes whose pods have counted this; a node without loads doesn't answer. */
function setUp() {
  let nowMs = 1_000_000;
  const nodes = new Map<string, Map<string, PodLoad> | undefined>();
  const get = async (_kind: unknown, { name }: { name: string }, options: { subresource: string }) => {
    assert.equal(options.subresource, 'proxy/stats/summary');
    const loads = nodes.get(name);
    if (!loads) throw new Error('no route to host');
    const metric = (name: string, value: number) => ({ name, value });
    return {
      pods: [...loads].map(([uid, { requests, busyMs, active }]) => ({
        podRef: { uid },
        containers: [
          {
            userDefinedMetrics: [
              metric('requests', requests),
              metric('request_milliseconds', busyMs),
              metric('requests_active', active),
            ],
          },
          { name: 'sidecar' },
        ],
      })),
    };
  };
  const clock = { nowMs: () => nowMs, after: () => () => {} };
  const client = { get } as unknown as Client;
  const autoscaler = new Autoscaler({ clock, loads: new NodeLoads({ client, clock }) });
  const pod = (uid: string, nodeName: string): Pod => ({
    metadata: { name: uid, uid },
    spec: { nodeName, containers: [] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
  return {
    autoscaler,
    nodes,
    pods: [pod('a', 'n1'), pod('b', 'n2')],
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

test('the load of all pods, on their nodes, is what counts', async () => {
  const { autoscaler, nodes, pods, pass } = setUp();
  let [requests, busyMs] = [0, 0];
  const seen: number[] = [];
  for (let second = 0; second < 20; second += 2) {
    for (const [node, uid] of [
      ['n1', 'a'],
      ['n2', 'b'],
    ] as const)
      nodes.set(node, new Map([[uid, { requests, busyMs, active: 3 }]]));
    seen.push(await autoscaler.podsFor('ns/m', settings, { current: 2, pods }));
    pass(2_000);
    // Three at a time in each pod.
    [requests, busyMs] = [requests + 10, busyMs + 6_000];
  }
  assert.equal(seen.at(-1), 3, `${seen}`);
});

test('without requests it goes to zero, and comes back when somebody waits', async () => {
  const { autoscaler, nodes, pods, pass } = setUp();
  nodes.set('n1', new Map([['a', { requests: 5, busyMs: 100, active: 0 }]]));
  nodes.set('n2', new Map());
  const podsFor = (current: number, of = pods) => autoscaler.podsFor('ns/m', settings, { current, pods: of });
  assert.equal(await podsFor(2), 2);
  for (let second = 0; second < 4; second += 2) {
    pass(2_000);
    assert.ok((await podsFor(1)) > 0);
  }
  pass(2_000);
  assert.equal(await podsFor(1), 0);
  pass(60_000);
  assert.equal(await podsFor(0, []), 0);
  autoscaler.wake('ns/m');
  assert.equal(await podsFor(0, []), 1);
});

test('a node that does not answer keeps pods where they are', async () => {
  const { autoscaler, nodes, pods, pass } = setUp();
  nodes.set('n1', new Map());
  for (let second = 0; second < 60; second += 2) {
    assert.equal(await autoscaler.podsFor('ns/m', settings, { current: 2, pods }), 2);
    pass(2_000);
  }
});

test('what is at zero when the controller starts stays there', async () => {
  const { autoscaler } = setUp();
  assert.equal(await autoscaler.podsFor('ns/m', settings, { current: 0, pods: [] }), 0);
  assert.equal(await autoscaler.podsFor('ns/n', settings, { current: undefined, pods: [] }), 1);
});

const inference = (predictor: object, annotations: Record<string, string> = {}): InferenceService => ({
  metadata: { name: 'm', namespace: 'ns', annotations },
  spec: { predictor: predictor as NonNullable<InferenceService['spec']>['predictor'] },
});

test('settings are KServe’s fields and Knative’s annotations, with their defaults', () => {
  assert.equal(scaleSettingsOf(inference({})), undefined);
  assert.equal(scaleSettingsOf(inference({ minReplicas: 2 })), undefined, 'no maximum is the minimum');
  assert.equal(scaleSettingsOf(inference({ maxReplicas: 3, scaleMetric: 'cpu' })), undefined);
  assert.deepEqual(scaleSettingsOf(inference({ minReplicas: 0 })), {
    min: 0,
    max: 1,
    metric: 'concurrency',
    target: 70,
    stableWindowMs: 60_000,
    retentionMs: 0,
  });
  const asked = inference(
    { minReplicas: 1, maxReplicas: 4, scaleTarget: 10, containerConcurrency: 4 },
    {
      'autoscaling.knative.dev/window': '1m30s',
      'autoscaling.knative.dev/scale-to-zero-pod-retention-period': '2m',
      'autoscaling.knative.dev/target-utilization-percentage': '50',
    },
  );
  const { target, stableWindowMs, retentionMs } = scaleSettingsOf(asked)!;
  assert.deepEqual([target, stableWindowMs, retentionMs], [2, 90_000, 120_000]);
  const byRate = scaleSettingsOf(inference({ maxReplicas: 4, scaleMetric: 'rps' }))!;
  assert.deepEqual([byRate.metric, byRate.target], ['rps', 140]);
  const short = inference({ minReplicas: 0 }, { 'autoscaling.knative.dev/window': '1s' });
  assert.equal(scaleSettingsOf(short)!.stableWindowMs, 6_000, 'Knative’s least');
});

test('by processor or memory a HorizontalPodAutoscaler does it', () => {
  const made = podAutoscalerFor(inference({ minReplicas: 0, maxReplicas: 4, scaleMetric: 'cpu' }))!;
  assert.deepEqual(made.spec, {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'm-predictor' },
    minReplicas: 1,
    maxReplicas: 4,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
      },
    ],
  });
  assert.equal(podAutoscalerFor(inference({ maxReplicas: 4 })), undefined);
});

test('a node says anew which Services requests wait for', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z');
  const node = (text?: string): Node => ({
    metadata: { name: 'n1', ...(text !== undefined && { annotations: { [heldAnnotation]: text } }) },
  });
  const at = (seconds: number) => toTime(nowMs + seconds * 1000);
  const modified = (before: string | undefined, after: string) =>
    newlyHeld({ type: 'modified', key: 'n1', object: node(after), previous: node(before) }, nowMs);
  assert.deepEqual(modified(undefined, `ns/a=${at(-3600)}`), ['ns/a'], 'its clock may be an hour late');
  assert.deepEqual(modified(`ns/a=${at(0)}`, `ns/a=${at(0)},ns/b=${at(5)}`), ['ns/b']);
  assert.deepEqual(modified(`ns/a=${at(0)}`, `ns/a=${at(5)}`), ['ns/a']);
  assert.deepEqual(modified(undefined, 'nonsense,A/x=1'), []);
  const added = (text: string) => newlyHeld({ type: 'added', key: 'n1', object: node(text) }, nowMs);
  assert.deepEqual(added(`ns/a=${at(-3600)},ns/b=${at(-5)}`), ['ns/b'], 'what was told an hour ago is over');
});
