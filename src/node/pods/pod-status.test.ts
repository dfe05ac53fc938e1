import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podOf } from '../testing.ts';
import { podStatus } from './pod-status.ts';
import { acceptPod, type PodRecord } from './record.ts';

const t0 = Date.parse('2026-01-01T00:00:00Z');
const conditionOf = (status: ReturnType<typeof podStatus>, type: string) =>
  status.conditions!.find((each) => each.type === type)!;
const show = (record: PodRecord, nowMs = t0) => {
  record.status = podStatus(record, { hostIP: '10.0.0.1', nowMs });
  return record.status;
};

function running(): PodRecord {
  const record = acceptPod(podOf(), t0);
  record.ip = '10.42.0.2';
  record.containers.web!.phase = { kind: 'running', startedAtMs: t0, isListening: true };
  record.containers.web!.isStarted = true;
  return record;
}

test('a pod that has just been accepted is Pending and not ready', () => {
  const status = show(acceptPod(podOf(), t0));
  assert.equal(status.phase, 'Pending');
  assert.equal(status.containerStatuses![0]!.state!.waiting!.reason, 'ContainerCreating');
  assert.equal(conditionOf(status, 'PodScheduled').status, 'True');
  assert.equal(conditionOf(status, 'Initialized').status, 'True');
  assert.equal(conditionOf(status, 'Ready').reason, 'ContainersNotReady');
  assert.equal(conditionOf(status, 'Ready').message, 'containers with unready status: [web]');
});

test('a running pod shows its address, its container id and when it became ready', () => {
  const record = running();
  show(record);
  record.containers.web!.isReady = true;
  const status = show(record, t0 + 5000);
  assert.equal(status.phase, 'Running');
  assert.equal(status.podIP, '10.42.0.2');
  assert.equal(status.hostIP, '10.0.0.1');
  assert.equal(status.containerStatuses![0]!.containerID, 'isolate://u1/web/0');
  assert.deepEqual(status.containerStatuses![0]!.state, { running: { startedAt: '2026-01-01T00:00:00Z' } });
  assert.equal(conditionOf(status, 'Ready').status, 'True');
  assert.equal(conditionOf(status, 'Ready').lastTransitionTime, '2026-01-01T00:00:05Z');
  assert.equal(conditionOf(status, 'Initialized').lastTransitionTime, '2026-01-01T00:00:00Z');
});

test('a transition time that another wrote is kept while the condition is the same', () => {
  const record = running();
  const before = { type: 'PodScheduled', status: 'True', lastTransitionTime: '2025-12-31T00:00:00Z' };
  record.pod = { ...record.pod, status: { conditions: [before] } } as never;
  assert.equal(conditionOf(show(record), 'PodScheduled').lastTransitionTime, '2025-12-31T00:00:00Z');
});

test('a pod waits for the readiness gates that others set', () => {
  const record = running();
  record.containers.web!.isReady = true;
  record.pod = podOf({ readinessGates: [{ conditionType: 'example.org/warm' }] } as never);
  const ready = conditionOf(show(record), 'Ready');
  assert.deepEqual([ready.status, ready.reason], ['False', 'ReadinessGatesNotReady']);
});

test('a completed pod says so in its conditions', () => {
  const record = running();
  record.pod = podOf({ restartPolicy: 'Never' });
  record.containers.web!.phase = {
    kind: 'terminated',
    exitCode: 0,
    reason: 'Completed',
    startedAtMs: t0,
    finishedAtMs: t0 + 1000,
    containerId: 'u1/web/0',
  };
  const status = show(record);
  assert.equal(status.phase, 'Succeeded');
  assert.equal(conditionOf(status, 'Ready').reason, 'PodCompleted');
  assert.equal(conditionOf(status, 'Initialized').reason, 'PodCompleted');
});

test('the quality-of-service class follows requests and limits', () => {
  const classOf = (resources: object) =>
    show(acceptPod(podOf({ containers: [{ name: 'web', image: 'w', resources }] } as never), t0)).qosClass;
  const all = { cpu: '1', memory: '1Gi' };
  assert.equal(classOf({}), 'BestEffort');
  assert.equal(classOf({ requests: { cpu: '1' } }), 'Burstable');
  assert.equal(classOf({ requests: all, limits: all }), 'Guaranteed');
  assert.equal(classOf({ limits: all }), 'Guaranteed');
});
