import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/kinds/pod.ts';
import type { MetricSpec } from '../../api/parts/metricSpec.ts';
import type { MetricsSource } from './metrics.ts';
import { propose } from './proposals.ts';

const nowMs = Date.parse('2024-01-01T01:00:00Z');
const podOf = (name: string): Pod => ({
  metadata: { name },
  spec: {
    containers: [
      { name: 'main', resources: { requests: { cpu: '1', memory: '1Gi' } } },
      { name: 'side', resources: { requests: { cpu: '100m', memory: '1Gi' } } },
    ],
  },
  status: {
    phase: 'Running',
    startTime: '2024-01-01T00:00:00Z',
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2024-01-01T00:00:10Z' }],
  },
});
const subject = {
  namespace: 'default',
  selector: 'app=web',
  pods: [podOf('a'), podOf('b')],
  specReplicas: 2,
  statusReplicas: 2,
  nowMs,
};
const perPod = (value: number) =>
  new Map(['a', 'b'].map((name) => [name, { value, atMs: nowMs, windowMs: 15_000 }] as const));

/** A source of all kinds of metrics, as another implementation may bring it. */
const source: MetricsSource = {
  resource: async ({ resource, container }) =>
    perPod(resource === 'memory' ? 2 ** 30 : container === 'side' ? 0.2 : 0.55),
  pods: async ({ metric }) => perPod(metric.name === 'requests' ? 30 : 0),
  object: async () => 900,
  external: async () => 70,
};

const utilization = (averageUtilization: number) => ({ type: 'Utilization', averageUtilization }) as const;
const average = (averageValue: string) => ({ type: 'AverageValue', averageValue }) as const;
const whole = (value: string) => ({ type: 'Value', value }) as const;
const describedObject = { apiVersion: 'v1', kind: 'Service', name: 'web' };

test('each type of metric asks for replicas in its own way, and says what it saw', async () => {
  const table: [MetricSpec, number, string, object][] = [
    [
      { type: 'Resource', resource: { name: 'cpu', target: utilization(25) } },
      4,
      'cpu resource utilization (percentage of request)',
      { resource: { name: 'cpu', current: { averageValue: '550m', averageUtilization: 50 } } },
    ],
    [
      { type: 'Resource', resource: { name: 'memory', target: average('512Mi') } },
      4,
      'memory resource',
      { resource: { name: 'memory', current: { averageValue: '1073741824' } } },
    ],
    [
      {
        type: 'ContainerResource',
        containerResource: { name: 'cpu', container: 'side', target: utilization(50) },
      },
      8,
      'cpu container resource utilization (percentage of request)',
      {
        containerResource: {
          name: 'cpu',
          container: 'side',
          current: { averageValue: '200m', averageUtilization: 200 },
        },
      },
    ],
    [
      { type: 'Pods', pods: { metric: { name: 'requests' }, target: average('10') } },
      6,
      'pods metric requests',
      { pods: { metric: { name: 'requests' }, current: { averageValue: '30' } } },
    ],
    [
      { type: 'Object', object: { metric: { name: 'queue' }, describedObject, target: whole('300') } },
      6,
      'Service metric queue',
      { object: { metric: { name: 'queue' }, describedObject, current: { value: '900' } } },
    ],
    [
      { type: 'Object', object: { metric: { name: 'queue' }, describedObject, target: average('300') } },
      3,
      'Service metric queue',
      { object: { metric: { name: 'queue' }, describedObject, current: { averageValue: '450' } } },
    ],
    [
      { type: 'External', external: { metric: { name: 'mails' }, target: average('33') } },
      2,
      'external metric mails',
      { external: { metric: { name: 'mails' }, current: { averageValue: '35' } } },
    ],
  ];
  for (const [spec, replicas, metric, status] of table) {
    const expected = { replicas, metric, status: { type: spec.type, ...status } };
    assert.deepEqual(await propose(spec, subject, source), expected, JSON.stringify(spec));
  }
});

test('a metric that cannot be told says why, in the words that operators know', async () => {
  const only: MetricsSource = { resource: source.resource };
  const target = utilization(50);
  const noRequest = { ...subject, pods: [{ ...podOf('a'), spec: { containers: [{ name: 'main' }] } }] };
  const table: [MetricSpec, typeof subject, string, string][] = [
    [
      { type: 'Pods', pods: { metric: { name: 'requests' }, target: average('10') } },
      subject,
      'FailedGetPodsMetric',
      'failed to get pods metric value: unable to get metric requests: unable to fetch metrics from custom metrics API: ' +
        'no custom metrics API (custom.metrics.k8s.io) registered',
    ],
    [
      { type: 'External', external: { metric: { name: 'mails' }, target: average('33') } },
      subject,
      'FailedGetExternalMetric',
      'failed to get external metric value: unable to get external metric default/mails: unable to fetch metrics from ' +
        'external metrics API: no external metrics API (external.metrics.k8s.io) registered',
    ],
    [
      { type: 'Resource', resource: { name: 'cpu', target } },
      noRequest as typeof subject,
      'FailedGetResourceMetric',
      'failed to get cpu resource metric value: failed to get cpu utilization: missing request for cpu in container main of Pod a',
    ],
    [
      { type: 'Resource', resource: { name: 'cpu', target } },
      { ...subject, pods: [] },
      'FailedGetResourceMetric',
      'failed to get cpu resource metric value: failed to get cpu utilization: no pods returned by selector while calculating replica count',
    ],
  ];
  for (const [spec, of, reason, about] of table) {
    const found = await propose(spec, of, only);
    assert.ok('about' in found, JSON.stringify(spec));
    assert.deepEqual([found.reason, found.about], [reason, about]);
    assert.ok(about.endsWith(`: ${found.message}`));
  }
});
