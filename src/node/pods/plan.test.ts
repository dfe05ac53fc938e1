import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podOf } from '../testing.ts';
import { formatDuration } from './backoff.ts';
import { plan } from './plan.ts';
import { podPhase, podStatus } from './pod-status.ts';
import { acceptContainers, acceptPod, containerId, type PodRecord } from './record.ts';
import { beginStart, createFailed, hold, lose, observe, pullFailed, resume } from './transitions.ts';

const t0 = Date.parse('2026-01-01T00:00:00Z');
const second = 1000;
const kindsOf = (record: PodRecord, nowMs = t0) => plan(record, nowMs).actions.map(({ kind }) => kind);

function run(record: PodRecord, name = 'web', nowMs = t0): void {
  beginStart(record, name, nowMs);
  const id = containerId(record.uid, name, record.containers[name]!.restartCount);
  observe(record, name, { id, phase: 'running', listening: true, startedAtMs: nowMs });
}

function exit(record: PodRecord, exitCode: number, nowMs: number, name = 'web'): void {
  const id = containerId(record.uid, name, record.containers[name]!.restartCount);
  const startedAtMs = nowMs;
  observe(record, name, {
    id,
    phase: 'exited',
    listening: false,
    startedAtMs,
    finishedAtMs: nowMs,
    exitCode,
  });
}

/** Does what the plan says about a restart, as the worker would. */
function follow(record: PodRecord, nowMs: number): string {
  const [action] = plan(record, nowMs).actions;
  if (action?.kind === 'wait') hold(record.containers.web!, { ...action, nowMs });
  if (action?.kind === 'start') run(record, 'web', nowMs);
  return action?.kind ?? 'nothing';
}

test('a new pod starts its containers', () => {
  const record = acceptPod(podOf(), t0);
  assert.deepEqual(plan(record, t0).actions, [{ kind: 'start', container: 'web' }]);
});

test('a running pod needs nothing', () => {
  const record = acceptPod(podOf(), t0);
  run(record);
  assert.deepEqual(kindsOf(record), []);
});

test('a crashing container restarts at once, then after 10 s, 20 s, 40 s, at most 5 min', () => {
  const record = acceptPod(podOf(), t0);
  run(record);
  let nowMs = t0 + second;
  const delays: number[] = [];
  for (let crash = 0; crash < 8; crash++) {
    exit(record, 1, nowMs);
    const crashedAtMs = nowMs;
    while (follow(record, nowMs) === 'wait') nowMs = plan(record, nowMs).wakeAtMs!;
    delays.push((nowMs - crashedAtMs) / second);
    nowMs += second;
  }
  assert.deepEqual(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
  assert.equal(record.containers.web!.restartCount, 8);
});

test('a container that waits to restart is shown in CrashLoopBackOff with its last end', () => {
  const record = acceptPod(podOf(), t0);
  run(record);
  exit(record, 1, t0);
  follow(record, t0);
  exit(record, 7, t0 + second);
  assert.equal(follow(record, t0 + second), 'wait');
  const [shown] = podStatus(record, { hostIP: '10.0.0.1', nowMs: t0 + second }).containerStatuses!;
  assert.equal(shown!.state!.waiting!.reason, 'CrashLoopBackOff');
  assert.equal(
    shown!.state!.waiting!.message,
    'back-off 10s restarting failed container=web pod=web_default(u1)',
  );
  assert.equal(shown!.lastState!.terminated!.exitCode, 7);
  assert.equal(shown!.restartCount, 1);
});

test('a container that ran for more than 10 min begins its back-off anew', () => {
  const record = acceptPod(podOf(), t0);
  run(record);
  exit(record, 1, t0);
  follow(record, t0);
  exit(record, 1, t0 + 601 * second);
  assert.equal(follow(record, t0 + 601 * second), 'start');
});

test('restartPolicy OnFailure leaves a success alone and Never leaves everything alone', () => {
  for (const [restartPolicy, exitCode, phase] of [
    ['OnFailure', 0, 'Succeeded'],
    ['Never', 0, 'Succeeded'],
    ['Never', 1, 'Failed'],
  ] as const) {
    const record = acceptPod(podOf({ restartPolicy }), t0);
    run(record);
    exit(record, exitCode, t0);
    assert.deepEqual(kindsOf(record), []);
    assert.equal(podPhase(record), phase);
  }
});

test('init containers run in order before the main ones, and a failure is retried', () => {
  const init = ['a', 'b'].map((name) => ({ name, image: 'init:1' }));
  const record = acceptPod(podOf({ initContainers: init } as never), t0);
  assert.deepEqual(plan(record, t0).actions, [{ kind: 'start', container: 'a' }]);
  run(record, 'a');
  assert.deepEqual(kindsOf(record), []);
  exit(record, 0, t0, 'a');
  assert.deepEqual(plan(record, t0).actions, [{ kind: 'start', container: 'b' }]);
  run(record, 'b');
  exit(record, 1, t0, 'b');
  assert.deepEqual(plan(record, t0).actions, [{ kind: 'start', container: 'b' }]);
  run(record, 'b');
  exit(record, 0, t0, 'b');
  assert.deepEqual(plan(record, t0).actions, [{ kind: 'start', container: 'web' }]);
});

test('a failed init container fails a pod that never restarts', () => {
  const spec = { restartPolicy: 'Never', initContainers: [{ name: 'a', image: 'init:1' }] };
  const record = acceptPod(podOf(spec as never), t0);
  run(record, 'a');
  exit(record, 1, t0, 'a');
  assert.deepEqual(kindsOf(record), []);
  assert.equal(podPhase(record), 'Failed');
});

test('a sidecar keeps running beside the main container and ends after it', () => {
  const sidecar = { name: 'proxy', image: 'proxy:1', restartPolicy: 'Always' };
  const record = acceptPod(podOf({ restartPolicy: 'Never', initContainers: [sidecar] } as never), t0);
  run(record, 'proxy');
  assert.deepEqual(kindsOf(record), [], 'it has not started yet');
  record.containers.proxy!.isStarted = true;
  assert.deepEqual(plan(record, t0).actions, [{ kind: 'start', container: 'web' }]);
  run(record);
  exit(record, 0, t0);
  const [stop] = plan(record, t0).actions;
  assert.deepEqual([stop?.kind, stop?.kind === 'stop' && stop.container], ['stop', 'proxy']);
});

test("who waits for the image of a volume is not told that it is the container's", () => {
  const record = acceptPod(podOf(), t0);
  beginStart(record, 'web', t0);
  const message = 'MountVolume.SetUp failed for volume "model" : manifest unknown: model:1';
  createFailed(record.containers.web!, { reason: 'ErrImagePull', message, nowMs: t0 });
  const [wait] = plan(record, t0 + 2 * second).actions;
  const told = `Back-off pulling the image of a volume: ErrImagePull: ${message}`;
  assert.equal(wait?.kind === 'wait' && wait.message, told);
});

test('a failed pull is tried again after 10 s, 20 s …, and says why in the meantime', () => {
  const record = acceptPod(podOf(), t0);
  beginStart(record, 'web', t0);
  const failure = { reason: 'ErrImagePull', message: 'manifest unknown: web:1' };
  pullFailed(record.containers.web!, { ...failure, nowMs: t0 });
  assert.deepEqual(kindsOf(record, t0), []);
  const [wait] = plan(record, t0 + 2 * second).actions;
  assert.equal(wait?.kind, 'wait');
  assert.equal(wait.kind === 'wait' && wait.reason, 'ImagePullBackOff');
  assert.equal(
    wait.kind === 'wait' && wait.message,
    'Back-off pulling image "web:1": ErrImagePull: manifest unknown: web:1',
  );
  hold(record.containers.web!, { ...(wait as never as typeof failure & { retryAtMs: number }), nowMs: t0 });
  assert.deepEqual(kindsOf(record, t0 + 9 * second), []);
  assert.deepEqual(kindsOf(record, t0 + 10 * second), ['start']);
  beginStart(record, 'web', t0 + 10 * second);
  pullFailed(record.containers.web!, { ...failure, nowMs: t0 + 10 * second });
  assert.deepEqual(kindsOf(record, t0 + 29 * second), ['wait']);
  assert.equal(record.containers.web!.restartCount, 0, 'a pull is no restart');
});

test('a deleted pod is stopped with its grace period, then finished', () => {
  const record = acceptPod(podOf(), t0);
  run(record);
  record.pod = podOf({}, { deletionTimestamp: '2026-01-01T00:00:05Z', deletionGracePeriodSeconds: 5 });
  const [stop] = plan(record, t0).actions;
  assert.deepEqual([stop?.kind, stop?.kind === 'stop' && stop.graceSeconds], ['stop', 5]);
  record.containers.web!.phase = { kind: 'stopping', startedAtMs: t0, mustRestart: false };
  assert.deepEqual(kindsOf(record), []);
  exit(record, 143, t0);
  assert.deepEqual(kindsOf(record), ['finish']);
});

test('a pod that is deleted while its container is created is finished only when that has ended', () => {
  const record = acceptPod(podOf(), t0);
  beginStart(record, 'web', t0);
  record.isGone = true;
  assert.deepEqual(kindsOf(record), []);
});

test('a pod past its deadline fails, is stopped, and stays', () => {
  const record = acceptPod(podOf({ activeDeadlineSeconds: 60 }), t0);
  run(record);
  assert.equal(plan(record, t0).wakeAtMs, t0 + 60 * second);
  const [fail] = plan(record, t0 + 60 * second).actions;
  assert.equal(fail?.kind === 'fail' && fail.reason, 'DeadlineExceeded');
  record.failure = { reason: 'DeadlineExceeded', message: '' };
  assert.deepEqual(kindsOf(record, t0 + 60 * second), ['stop']);
  record.containers.web!.phase = { kind: 'stopping', startedAtMs: t0, mustRestart: false };
  exit(record, 0, t0 + 61 * second);
  assert.deepEqual(kindsOf(record, t0 + 61 * second), []);
  assert.equal(podPhase(record), 'Failed');
});

test('a container whose image was changed is stopped and starts with the new one', () => {
  const record = acceptPod(podOf({ restartPolicy: 'OnFailure' }), t0);
  run(record);
  record.containers.web!.image = { reference: 'web:1', id: 'web@sha256:1' };
  record.pod = podOf({ restartPolicy: 'OnFailure', containers: [{ name: 'web', image: 'web:2' }] } as never);
  const [stop] = plan(record, t0).actions;
  assert.equal(stop?.kind === 'stop' && stop.mustRestart, true);
  record.containers.web!.phase = { kind: 'stopping', startedAtMs: t0, mustRestart: true };
  exit(record, 0, t0);
  assert.deepEqual(kindsOf(record), ['start']);
});

test('what the machine lost starts again without back-off, whatever the crash history', () => {
  const record = acceptPod(podOf({ restartPolicy: 'OnFailure' }), t0);
  run(record);
  exit(record, 1, t0);
  follow(record, t0);
  lose(record, 'web', t0 + second);
  assert.deepEqual(kindsOf(record, t0 + second), ['start']);
  beginStart(record, 'web', t0 + second);
  assert.equal(record.containers.web!.restartCount, 2);
});

test('a new agent takes up containers that run and begins anew what was half done', () => {
  const running = acceptPod(podOf(), t0);
  run(running);
  const state = { id: 'u1/web/0', phase: 'running' as const, listening: true, startedAtMs: t0 };
  resume(running, [state], t0 + second);
  assert.equal(running.containers.web!.phase.kind, 'running');
  assert.deepEqual(kindsOf(running, t0 + second), []);

  const halfDone = acceptPod(podOf(), t0);
  beginStart(halfDone, 'web', t0);
  resume(halfDone, [state], t0);
  assert.equal(halfDone.containers.web!.phase.kind, 'running', 'it was started but not written down');
  const notStarted = acceptPod(podOf(), t0);
  beginStart(notStarted, 'web', t0);
  resume(notStarted, [], t0);
  assert.deepEqual(kindsOf(notStarted), ['start']);
  assert.equal(notStarted.containers.web!.restartCount, 0);
});

test('a finished pod whose record was lost is not run again', () => {
  const done = podOf({ restartPolicy: 'Never' });
  const terminated = { exitCode: 0, reason: 'Completed', finishedAt: '2026-01-01T00:00:00Z' };
  const status = {
    phase: 'Succeeded',
    containerStatuses: [
      { name: 'web', ready: false, restartCount: 0, image: '', imageID: '', state: { terminated } },
    ],
  };
  const record = acceptPod({ ...done, status } as never, t0);
  assert.deepEqual(kindsOf(record), []);
  assert.equal(podPhase(record), 'Succeeded');
});

test('sidecars end one after the other, the last first, in what is left of the grace period', () => {
  const sidecar = (name: string) => ({ name, image: 'proxy:1', restartPolicy: 'Always' });
  const initContainers = [sidecar('first'), sidecar('last')];
  const record = acceptPod(podOf({ initContainers, terminationGracePeriodSeconds: 30 } as never), t0);
  for (const name of ['first', 'last', 'web']) run(record, name);
  record.pod.metadata!.deletionTimestamp = '2026-01-01T00:00:30Z';
  record.endingSinceMs = t0;
  const stopsAt = (seconds: number) =>
    plan(record, t0 + seconds * second).actions.flatMap((action) =>
      action.kind === 'stop' ? `${action.container} ${action.graceSeconds}` : [],
    );
  assert.deepEqual(stopsAt(0), ['web 30']);
  exit(record, 0, t0, 'web');
  assert.deepEqual(stopsAt(20), ['last 10']);
  exit(record, 0, t0, 'last');
  assert.deepEqual(stopsAt(60), ['first 2'], 'two seconds at least');
  exit(record, 0, t0, 'first');
  assert.deepEqual(kindsOf(record), ['finish']);
});

test('an ephemeral container starts beside the others, once, and counts for nothing', () => {
  const record = acceptPod(podOf({ restartPolicy: 'Always' }), t0);
  run(record);
  record.pod.spec!.ephemeralContainers = [{ name: 'debugger', image: 'shell:1' }] as never;
  acceptContainers(record, t0);
  assert.deepEqual(plan(record, t0).actions, [{ kind: 'start', container: 'debugger' }]);
  run(record, 'debugger');
  exit(record, 1, t0, 'debugger');
  assert.deepEqual(kindsOf(record, t0 + 600 * second), []);
  const status = podStatus(record, { hostIP: '127.0.0.1', nowMs: t0 });
  assert.equal(status.phase, 'Running');
  assert.equal(status.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode, 1);
  assert.equal(status.containerStatuses?.length, 1);
});

test('a pod that asks for the namespaces of its node is refused with a reason', () => {
  const record = acceptPod(podOf({ hostPID: true }), t0);
  const [action] = plan(record, t0).actions;
  assert.equal(action?.kind, 'fail');
  assert.equal(action.reason, 'HostNamespacesNotSupported');
  record.failure = { reason: action.reason, message: action.message };
  const status = podStatus(record, { hostIP: '127.0.0.1', nowMs: t0 });
  assert.equal(status.phase, 'Failed');
  assert.equal(status.containerStatuses, undefined);
});

test('a container does not count as running before its postStart hook is done', () => {
  const record = acceptPod(podOf(), t0);
  beginStart(record, 'web', t0);
  record.containers.web!.isPostStarting = true;
  const running = { id: 'u1/web/0', phase: 'running' as const, listening: true, startedAtMs: t0 };
  assert.equal(observe(record, 'web', running), false);
  assert.equal(record.containers.web!.phase.kind, 'creating');
  delete record.containers.web!.isPostStarting;
  assert.equal(observe(record, 'web', running), true);
});

test('a program without ports is ready once it is loaded, one with ports once it listens', () => {
  const state = { phase: 'running' as const, listening: false, isLoaded: true, startedAtMs: t0 };
  for (const [ports, isListening] of [
    [undefined, true],
    [[{ containerPort: 80 }], false],
  ] as const) {
    const record = acceptPod(podOf({ containers: [{ name: 'web', image: 'web:1', ports }] } as never), t0);
    beginStart(record, 'web', t0);
    observe(record, 'web', { ...state, id: 'u1/web/0' });
    const { phase } = record.containers.web!;
    assert.equal(phase.kind === 'running' && phase.isListening, isListening);
  }
});

test('a duration is printed as Go prints it', () => {
  const texts = [0, 350, 1500, 10_000, 65_012, 160_000, 300_000, 3_600_000].map(formatDuration);
  assert.deepEqual(texts, ['0s', '350ms', '1.5s', '10s', '1m5.012s', '2m40s', '5m0s', '1h0m0s']);
});
