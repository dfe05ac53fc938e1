// What the conformance descriptions promise of Jobs whose pods fail, with a test that plays the pods.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mergePatch, send } from '../../src/apiserver/test-request.ts';
import { until } from '../../src/base/until.ts';
import type { Transport } from '../../src/client/transport.ts';
import { startTestCluster, type TestCluster } from '../../src/controllers/test-cluster.ts';

const waitMs = 60_000;
const core = '/api/v1/namespaces/default';
const jobs = '/apis/batch/v1/namespaces/default/jobs';

let cluster: TestCluster;
let api: Transport;
before(async () => {
  cluster = await startTestCluster();
  api = cluster.api.server.transport();
});
after(() => cluster.close());

const running = { name: 'main', image: 'app:1' };

async function createJob(name: string, spec: object): Promise<void> {
  const template = { spec: { restartPolicy: 'Never', containers: [running] } };
  const body = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: { template, ...spec } };
  const { code, object } = await send(api, `POST ${jobs}`, { body });
  assert.equal(code, 201, JSON.stringify(object));
}

async function podsOf(job: string) {
  const { object } = await send(api, `GET ${core}/pods?labelSelector=job-name%3D${job}`);
  return object.items as { metadata: { name: string }; status: { phase: string } }[];
}

/** Waits for a pod that runs and is none of `before`; returns its name. */
async function nextPod(job: string, before: readonly string[] = []): Promise<string> {
  const found = await until(
    `a pod of ${job} runs`,
    async () =>
      (await podsOf(job)).find(
        ({ metadata, status }) => status.phase === 'Running' && !before.includes(metadata.name),
      ),
    waitMs,
  );
  return found.metadata.name;
}

async function endPod(name: string, exitCode: number, conditions: object[] = []): Promise<void> {
  // Long ago, so that nobody waits before the next try.
  const finishedAt = '2026-01-02T03:04:05Z';
  const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', finishedAt };
  const status = {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    conditions,
    containerStatuses: [{ ...running, imageID: '', ready: false, restartCount: 0, state: { terminated } }],
  };
  const { code, object } = await mergePatch(api, `${core}/pods/${name}/status`, { status });
  assert.equal(code, 200, JSON.stringify(object));
}

/** The job once it has the condition. */
const finished = (job: string, type: string) =>
  until(
    `${job} is ${type}`,
    async () => {
      const { object } = await send(api, `GET ${jobs}/${job}`);
      const conditions: { type: string; status: string; reason: string }[] = object.status?.conditions ?? [];
      return conditions.some((each) => each.type === type && each.status === 'True') && object;
    },
    waitMs,
  );

test('a job is complete although some of its tasks failed before', async () => {
  await createJob('fails-sometimes', { completions: 2, parallelism: 1, backoffLimit: 6 });
  const seen: string[] = [];
  for (const exitCode of [1, 0, 0]) {
    const name = await nextPod('fails-sometimes', seen);
    seen.push(name);
    await endPod(name, exitCode);
  }
  const { status } = await finished('fails-sometimes', 'Complete');
  assert.deepEqual([status.succeeded, status.failed], [2, 1]);
});

test('a job fails at once when a container ends with an exit code that its pod failure policy names', async () => {
  const podFailurePolicy = {
    rules: [{ action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } }],
  };
  await createJob('fails-early', { backoffLimit: 3, podFailurePolicy });
  await endPod(await nextPod('fails-early'), 42);
  const { status } = await finished('fails-early', 'Failed');
  const failed = status.conditions.find(({ type }: { type: string }) => type === 'Failed');
  assert.equal(failed.reason, 'PodFailurePolicy');
  assert.match(failed.message, /failed with exit code 42 matching FailJob rule at index 0$/);
  assert.equal((await podsOf('fails-early')).length, 1, 'nothing is tried again');
});

test('a pod that was disrupted does not count against a job whose pod failure policy ignores that', async () => {
  const podFailurePolicy = {
    rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
  };
  await createJob('disrupted', { backoffLimit: 0, podFailurePolicy });
  const first = await nextPod('disrupted');
  await endPod(first, 1, [{ type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }]);
  await endPod(await nextPod('disrupted', [first]), 0);
  const { status } = await finished('disrupted', 'Complete');
  assert.deepEqual([status.succeeded, status.failed ?? 0], [1, 0]);
});
