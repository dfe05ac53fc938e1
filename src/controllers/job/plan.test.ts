import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../../api/defaults.ts';
import { type Job, type JobSpec, job as jobKind } from '../../api/kinds/job.ts';
import type { Pod } from '../../api/kinds/pod.ts';
import { toTime } from '../../base/clock.ts';
import { formatIndexes, parseIndexes } from './indexes.ts';
import { burstMax, type JobPlan, plan, uncountedMax } from './plan.ts';
import { indexAnnotation, podOf, trackingFinalizer } from './pod.ts';

const startMs = Date.parse('2026-01-01T00:00:00Z');

function jobWith(spec: Partial<JobSpec> = {}): Job {
  const template = {
    spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'app:1' }] },
  };
  return defaults(jobKind, {
    metadata: { name: 'job', namespace: 'default', uid: 'job' },
    spec: { template, ...spec },
  });
}

/** A cluster that does what the plan says, at once, and in which the test decides how pods end. */
class World {
  job: Job;
  pods: Pod[] = [];
  nowMs = startMs;
  events: string[] = [];
  #made = 0;

  constructor(spec: Partial<JobSpec> = {}) {
    this.job = jobWith(spec);
  }

  /** One reconciliation. With `crashBeforeRelease` the controller dies right after it has written the status. */
  step({ crashBeforeRelease = false } = {}): JobPlan {
    const planned = plan({ job: this.job, pods: this.pods, nowMs: this.nowMs });
    for (const pod of planned.remove) {
      if (planned.isForgiven) this.#release(pod);
      this.patch(pod, (each) => {
        each.metadata!.deletionTimestamp = toTime(this.nowMs);
        each.metadata!.deletionGracePeriodSeconds = 30;
      });
    }
    for (const wanted of planned.create) {
      const pod = structuredClone(podOf(this.job, wanted));
      pod.metadata!.name = pod.metadata!.uid = `pod-${this.#made++}`;
      this.pods.push({ ...pod, status: { phase: 'Running' } });
    }
    this.job = { ...this.job, status: planned.status };
    if (!crashBeforeRelease) for (const pod of planned.release) this.#release(pod);
    this.events.push(...planned.events.map(({ reason }) => reason));
    return planned;
  }

  settle(): void {
    for (let before = ''; before !== JSON.stringify([this.job, this.pods]); ) {
      before = JSON.stringify([this.job, this.pods]);
      this.step();
    }
  }

  get running(): Pod[] {
    return this.pods.filter(
      ({ status, metadata }) => status?.phase === 'Running' && !metadata?.deletionTimestamp,
    );
  }

  end(pod: Pod, exitCode: number): void {
    this.patch(pod, (each) => {
      const terminated = { exitCode, finishedAt: toTime(this.nowMs) };
      const status = {
        name: 'main',
        image: '',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated },
      };
      each.status = { phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses: [status] };
    });
  }

  /** What the node does with pods that are being deleted. */
  vanish(): void {
    for (const pod of this.pods.filter(({ metadata }) => metadata?.deletionTimestamp)) {
      this.patch(pod, (each) => {
        each.metadata!.deletionGracePeriodSeconds = 0;
      });
    }
    this.#collect();
  }

  patch(pod: Pod, change: (copy: Pod) => void): void {
    this.pods = this.pods.map((each) => {
      if (each.metadata?.uid !== pod.metadata?.uid) return each;
      const copy = structuredClone(each);
      change(copy);
      return copy;
    });
  }

  conditions(): string[] {
    return (this.job.status?.conditions ?? []).map(
      ({ type, status, reason }) => `${type}=${status} ${reason}`,
    );
  }

  #release(pod: Pod): void {
    this.patch(pod, (each) => {
      each.metadata!.finalizers = each.metadata!.finalizers?.filter((one) => one !== trackingFinalizer) ?? [];
    });
    this.#collect();
  }

  #collect(): void {
    this.pods = this.pods.filter(
      ({ metadata }) =>
        !metadata?.deletionTimestamp || metadata.deletionGracePeriodSeconds || metadata.finalizers?.length,
    );
  }
}

const indexOf = (pod: Pod) => Number(pod.metadata?.annotations?.[indexAnnotation]);

test('indexes are written as Kubernetes writes them', () => {
  const cases: [number[], string][] = [
    [[], ''],
    [[4], '4'],
    [[1, 2], '1,2'],
    [[5, 1, 4, 3, 7], '1,3-5,7'],
  ];
  for (const [indexes, text] of cases) {
    assert.equal(formatIndexes(new Set(indexes)), text);
    assert.deepEqual([...parseIndexes(text)].sort(), [...indexes].sort());
  }
  assert.deepEqual([...parseIndexes('1-1000000000', 3)], [1, 2]);
});

test('completions and parallelism decide how many pods run', () => {
  const cases: [Partial<JobSpec>, number][] = [
    [{}, 1],
    [{ completions: 5 }, 1],
    [{ completions: 5, parallelism: 3 }, 3],
    [{ completions: 2, parallelism: 3 }, 2],
    [{ parallelism: 3 }, 3],
    [{ parallelism: 0 }, 0],
    [{ completions: 5, suspend: true }, 0],
    [{ completions: 5000, parallelism: 5000 }, burstMax],
  ];
  for (const [spec, running] of cases) {
    const world = new World(spec);
    world.step();
    assert.equal(world.running.length, running, JSON.stringify(spec));
    assert.equal(world.job.status?.active ?? 0, running);
  }
});

test('a job completes when enough pods have succeeded, and says so in two steps', () => {
  const world = new World({ completions: 3, parallelism: 2 });
  for (let round = 0; round < 3; round++) {
    world.settle();
    world.end(world.running[0]!, 0);
  }
  world.settle();
  const { status } = world.job;
  assert.deepEqual(
    [status?.succeeded, status?.active, status?.failed, status?.ready, status?.terminating],
    [3, undefined, undefined, 0, 0],
  );
  assert.deepEqual(world.conditions(), [
    'SuccessCriteriaMet=True CompletionsReached',
    'Complete=True CompletionsReached',
  ]);
  assert.equal(status?.conditions?.[1]?.message, 'Reached expected number of succeeded pods');
  assert.equal(status?.completionTime, toTime(startMs));
  assert.deepEqual(world.events, ['Completed']);
  assert.ok(world.pods.every(({ metadata }) => metadata?.finalizers?.length === 0));
});

test('without completions one success is enough, and the others may finish', () => {
  const world = new World({ parallelism: 3 });
  world.settle();
  world.end(world.running[0]!, 0);
  world.settle();
  assert.equal(world.running.length, 2);
  assert.deepEqual(world.conditions(), []);
  for (const pod of world.running) world.end(pod, 0);
  world.settle();
  assert.equal(world.job.status?.succeeded, 3);
  assert.match(world.conditions()[1]!, /^Complete=True/);
});

test('no end of a pod is lost or counted twice, wherever the controller dies and whenever the pod goes', () => {
  const world = new World({ completions: 4, parallelism: 4, backoffLimit: 10 });
  world.settle();
  const [first, second, third] = world.running;
  world.end(first!, 0);
  world.end(second!, 1);
  world.step({ crashBeforeRelease: true });
  assert.deepEqual(world.job.status?.uncountedTerminatedPods, { succeeded: ['pod-0'], failed: ['pod-1'] });
  world.end(third!, 0);
  world.step({ crashBeforeRelease: true });
  world.step({ crashBeforeRelease: true });
  world.step();
  // The pods are deleted before the controller looks again.
  world.pods = world.pods.filter(({ status }) => status?.phase === 'Running');
  world.settle();
  assert.deepEqual([world.job.status?.succeeded, world.job.status?.failed], [2, 1]);
  assert.deepEqual(world.job.status?.uncountedTerminatedPods, {});
});

test('the status names a bounded number of pods at a time, and all are counted in the end', () => {
  const world = new World({ completions: 1200, parallelism: 1200 });
  world.settle();
  for (const pod of world.running) world.end(pod, 0);
  world.step();
  assert.equal(world.job.status?.uncountedTerminatedPods?.succeeded?.length, uncountedMax);
  world.settle();
  assert.equal(world.job.status?.succeeded, 1200);
});

test('failed pods are replaced after 10 s, 20 s, 40 s, … and up to the limit', () => {
  const world = new World({ backoffLimit: 3 });
  world.settle();
  for (const waitMs of [10_000, 20_000, 40_000]) {
    world.end(world.running[0]!, 1);
    world.settle();
    assert.equal(world.running.length, 0);
    assert.equal(world.step().lookAgainInMs, waitMs);
    world.nowMs += waitMs - 1;
    world.settle();
    assert.equal(world.running.length, 0, `${waitMs} ms are not over`);
    world.nowMs += 1;
    world.settle();
    assert.equal(world.running.length, 1);
  }
  world.end(world.running[0]!, 1);
  world.settle();
  assert.deepEqual(world.conditions(), [
    'FailureTarget=True BackoffLimitExceeded',
    'Failed=True BackoffLimitExceeded',
  ]);
  assert.equal(world.job.status?.conditions?.[1]?.message, 'Job has reached the specified backoff limit');
  assert.equal(world.job.status?.failed, 4);
  assert.equal(world.job.status?.completionTime, undefined);
  assert.deepEqual(world.events, ['BackoffLimitExceeded']);
});

test('with OnFailure the restarts of containers count', () => {
  const template = {
    spec: { restartPolicy: 'OnFailure' as const, containers: [{ name: 'main', image: 'app:1' }] },
  };
  for (const [backoffLimit, restartCount, hasFailed] of [
    [0, 0, false],
    [0, 1, true],
    [3, 2, false],
    [3, 3, true],
  ] as const) {
    const world = new World({ template, backoffLimit });
    world.settle();
    world.patch(world.running[0]!, (pod) => {
      const status = { name: 'main', image: '', imageID: '', ready: true, restartCount };
      pod.status = { phase: 'Running', containerStatuses: [status] };
    });
    world.settle();
    assert.equal(world.conditions().length > 0, hasFailed, `${restartCount} of ${backoffLimit}`);
  }
});

test('the deadline ends all pods, and the job has failed when the last is gone', () => {
  const world = new World({ activeDeadlineSeconds: 60, parallelism: 2, completions: 2 });
  assert.equal(world.step().lookAgainInMs, 60_000);
  world.nowMs += 60_000;
  world.settle();
  assert.deepEqual(world.conditions(), ['FailureTarget=True DeadlineExceeded']);
  assert.equal(world.job.status?.terminating, 2);
  world.vanish();
  world.settle();
  assert.deepEqual(world.conditions()[1], 'Failed=True DeadlineExceeded');
  assert.equal(world.job.status?.conditions?.[1]?.message, 'Job was active longer than specified deadline');
  assert.deepEqual([world.job.status?.terminating, world.job.status?.failed], [0, 2]);
});

test('suspending removes pods without counting them, and resuming starts the time anew', () => {
  const world = new World({ parallelism: 2, completions: 2, activeDeadlineSeconds: 60 });
  world.settle();
  world.job = { ...world.job, spec: { ...world.job.spec!, suspend: true } };
  world.settle();
  world.vanish();
  world.nowMs += 3_600_000;
  world.settle();
  assert.deepEqual(world.conditions(), ['Suspended=True JobSuspended']);
  assert.deepEqual([world.pods.length, world.job.status?.failed], [0, undefined]);
  world.job = { ...world.job, spec: { ...world.job.spec!, suspend: false } };
  world.settle();
  assert.deepEqual(world.conditions(), ['Suspended=False JobResumed']);
  assert.equal(world.job.status?.startTime, toTime(world.nowMs));
  assert.equal(world.running.length, 2);
  assert.deepEqual(world.events, ['Suspended', 'Resumed']);
});

test('a smaller parallelism removes pods that do not count as failed', () => {
  const world = new World({ parallelism: 3, completions: 5 });
  world.settle();
  world.job = { ...world.job, spec: { ...world.job.spec!, parallelism: 1 } };
  world.settle();
  world.vanish();
  world.settle();
  assert.deepEqual([world.running.length, world.job.status?.failed], [1, undefined]);
});

test('each index runs once at a time, knows its number, and is repeated until it succeeds', () => {
  const world = new World({ completionMode: 'Indexed', completions: 4, parallelism: 2 });
  world.settle();
  assert.deepEqual(world.running.map(indexOf), [0, 1]);
  const [pod] = world.running;
  assert.equal(pod?.spec?.hostname, 'job-0');
  assert.equal(pod?.metadata?.generateName, 'job-0-');
  assert.equal(pod?.metadata?.labels?.[indexAnnotation], '0');
  const fieldPath = "metadata.labels['batch.kubernetes.io/job-completion-index']";
  assert.deepEqual(pod?.spec?.containers[0]?.env, [
    { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath } } },
  ]);
  const [zero, one] = world.running;
  world.end(one!, 0);
  world.nowMs += 1000;
  world.end(zero!, 1);
  world.settle();
  assert.equal(world.job.status?.completedIndexes, '1');
  assert.deepEqual(world.running.map(indexOf), []);
  world.nowMs += 10_000;
  world.settle();
  assert.deepEqual(world.running.map(indexOf), [0, 2]);
  for (let round = 0; round < 4; round++) {
    for (const each of world.running) world.end(each, 0);
    world.settle();
  }
  assert.equal(world.job.status?.completedIndexes, '0-3');
  assert.equal(world.job.status?.succeeded, 4);
  assert.match(world.conditions()[1]!, /^Complete=True/);
});

test('with a limit for each index one bad index does not stop the others, and the job fails at the end', () => {
  const world = new World({
    completionMode: 'Indexed',
    completions: 2,
    parallelism: 2,
    backoffLimitPerIndex: 1,
  });
  world.settle();
  for (let round = 0; round < 2; round++) {
    for (const pod of world.running) if (indexOf(pod) === 0) world.end(pod, 1);
    world.settle();
    world.nowMs += 20_000;
    world.settle();
  }
  assert.equal(world.job.status?.failedIndexes, '0');
  assert.deepEqual(world.running.map(indexOf), [1]);
  assert.deepEqual(world.conditions(), []);
  world.end(world.running[0]!, 0);
  world.settle();
  assert.deepEqual([world.job.status?.failed, world.job.status?.succeeded], [2, 1]);
  assert.equal(world.conditions()[1], 'Failed=True FailedIndexes');
});

test('too many failed indexes fail the job at once', () => {
  const limits = { backoffLimitPerIndex: 0, maxFailedIndexes: 0 };
  const world = new World({ completionMode: 'Indexed', completions: 3, parallelism: 3, ...limits });
  world.settle();
  world.end(world.running[1]!, 1);
  world.settle();
  assert.equal(world.conditions()[0], 'FailureTarget=True MaxFailedIndexesExceeded');
  assert.equal(world.running.length, 0);
  world.vanish();
  world.settle();
  const { failed, failedIndexes } = world.job.status!;
  assert.deepEqual([failed, failedIndexes], [3, '1'], 'the other indexes have not failed');
});

test('the pod failure policy fails the job, ignores a failure, or fails an index', () => {
  const rules = [
    { action: 'FailJob' as const, onExitCodes: { operator: 'In' as const, values: [42] } },
    { action: 'Ignore' as const, onPodConditions: [{ type: 'DisruptionTarget', status: 'True' as const }] },
  ];
  const world = new World({ podFailurePolicy: { rules }, backoffLimit: 0 });
  world.settle();
  world.end(world.running[0]!, 1);
  world.patch(world.pods[0]!, (pod) => {
    pod.status!.conditions = [{ type: 'DisruptionTarget', status: 'True' }];
  });
  world.settle();
  assert.deepEqual([world.conditions(), world.job.status?.failed], [[], undefined]);
  world.nowMs += 10_000;
  world.settle();
  world.end(world.running[0]!, 42);
  world.settle();
  assert.equal(world.conditions()[1], 'Failed=True PodFailurePolicy');
  assert.equal(
    world.job.status?.conditions?.[1]?.message,
    'Container main for pod default/pod-1 failed with exit code 42 matching FailJob rule at index 0',
  );
  const indexed = new World({
    completionMode: 'Indexed',
    completions: 2,
    parallelism: 2,
    backoffLimitPerIndex: 5,
    podFailurePolicy: { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [7] } }] },
  });
  indexed.settle();
  indexed.end(indexed.running[0]!, 7);
  indexed.settle();
  assert.equal(indexed.job.status?.failedIndexes, '0');
});

test('the success policy ends the pods that are still running', () => {
  const successPolicy = { rules: [{ succeededIndexes: '0' }] };
  const world = new World({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy });
  world.settle();
  world.end(world.running[0]!, 0);
  world.settle();
  assert.deepEqual(world.conditions(), ['SuccessCriteriaMet=True SuccessPolicy']);
  world.vanish();
  world.settle();
  assert.equal(world.conditions()[1], 'Complete=True SuccessPolicy');
  assert.equal(world.job.status?.completedIndexes, '0');
  assert.equal(world.job.status?.failed, undefined, 'what is no longer needed has not failed');
});

test('a pod that is being deleted is replaced at once, or with the policy Failed when it has ended', () => {
  for (const [podReplacementPolicy, replacements] of [
    ['TerminatingOrFailed', 1],
    ['Failed', 0],
  ] as const) {
    const world = new World({ podReplacementPolicy });
    world.settle();
    world.patch(world.running[0]!, (pod) => {
      pod.metadata!.deletionTimestamp = toTime(world.nowMs);
      pod.metadata!.deletionGracePeriodSeconds = 30;
    });
    world.nowMs += 15_000;
    world.settle();
    assert.equal(world.running.length, replacements, podReplacementPolicy);
    world.vanish();
    world.nowMs += 60_000;
    world.settle();
    assert.deepEqual([world.running.length, world.job.status?.failed], [1, 1], podReplacementPolicy);
  }
});

test('a job that is being deleted starts nothing more', () => {
  const world = new World();
  world.job.metadata!.deletionTimestamp = toTime(startMs);
  assert.deepEqual(world.step().create, []);
});

test('the time that a plan takes grows with the pods, not with their square', () => {
  const limits = { backoffLimitPerIndex: 3, parallelism: 1 };
  /** Time of the processor, and the best of three: other work of the machine must not count. */
  const msFor = (count: number): number => {
    const world = new World({ completionMode: 'Indexed', completions: count, ...limits });
    world.pods = Array.from({ length: count }, (_, index) => {
      const pod = podOf(world.job, { index });
      const metadata = { ...pod.metadata!, name: `pod-${index}`, uid: `pod-${index}` };
      return { ...pod, metadata, status: { phase: 'Failed' } };
    });
    const times = Array.from({ length: 3 }, () => {
      const begin = process.cpuUsage();
      plan({ job: world.job, pods: world.pods, nowMs: world.nowMs });
      return process.cpuUsage(begin).user / 1000;
    });
    return Math.max(1, Math.min(...times));
  };
  const [few, many] = [msFor(2_000), msFor(16_000)];
  // Eight times the pods: eight times as long, where the square would be sixty-four times.
  assert.ok(many < 32 * few, `${few} ms, then ${many} ms`);
});
